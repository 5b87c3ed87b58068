"""How does a client page through a long list?

By the Relay connection pattern, forwards. A cursor names the item behind which the next page begins, so pages
stay free of gaps and repetitions while the list grows.
"""

from typing import Annotated, Generic, TypeVar

import strawberry

from uplift.domain.model.paging import MAX_PAGE_SIZE, Page, encode_cursor
from uplift.graphql_api.types.fields import field

DEFAULT_PAGE_SIZE = 50

First = Annotated[
    int, strawberry.argument(description=f"How many items at most, from 1 to {MAX_PAGE_SIZE:,}.")
]
After = Annotated[
    str | None,
    strawberry.argument(
        description="The cursor of the last item seen; without it, the list is read from its beginning."
    ),
]

Node = TypeVar("Node")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more items follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether this page was asked for by a cursor.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first item, if there is one.")
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last item, if there is one: pass it as `after` for the next page."
    )


@strawberry.type(description="An item of a list together with its place.")
class Edge(Generic[Node]):
    cursor: str = strawberry.field(description="The place of the item in the list, to pass as `after`.")
    node: Node = strawberry.field(description="The item.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[Node]):
    page: strawberry.Private[Page[Node]]
    follows_cursor: strawberry.Private[bool]

    @field("The items of this page.")
    def nodes(self) -> list[Node]:
        return list(self.page.items)

    @field("The items of this page, each with its cursor.")
    def edges(self) -> list[Edge[Node]]:
        return [
            Edge(cursor=cursor, node=node)
            for cursor, node in zip(self.page.cursors, self.page.items, strict=True)
        ]

    @field("Where this page lies in the list.")
    def page_info(self) -> PageInfo:
        keys = self.page.keys
        return PageInfo(
            has_next_page=self.page.has_next,
            has_previous_page=self.follows_cursor,
            start_cursor=encode_cursor(keys[0]) if keys else None,
            end_cursor=encode_cursor(keys[-1]) if keys else None,
        )
