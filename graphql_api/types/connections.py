"""Lists that a client reads page by page, forwards, by the Relay connection specification.

A cursor names an item. The next page starts after that item, so pages neither skip nor repeat items while the
list grows.
"""

import json
from enum import StrEnum
from hashlib import blake2b
from typing import Annotated, Generic, TypeVar

import strawberry

from uplift.domain.model.paging import MAX_PAGE_SIZE, Page, PageRequest, encode_cursor, page_request
from uplift.graphql_api.types.fields import field

DEFAULT_PAGE_SIZE = 50

First = Annotated[
    int | None,
    strawberry.argument(
        description=f"The maximum number of items, from 1 to {MAX_PAGE_SIZE:,}; null for the default."
    ),
]
After = Annotated[
    str | None,
    strawberry.argument(
        description="The cursor of the last item of the previous page; null for the first page."
    ),
]

Node = TypeVar("Node")


def page_of(first: int | None, after: str | None, listing: str = "") -> PageRequest:
    """The page that a client requests. Raises InvalidInput for `first` or `after`.

    `listing` names the list if its cursors have no meaning in another one.
    """
    return page_request(DEFAULT_PAGE_SIZE if first is None else first, after, listing)


def listing_of(*parts: StrEnum | str | None) -> str:
    """The name of a list with this order and filter, for `page_of`."""
    return blake2b(json.dumps(parts).encode(), digest_size=6).hexdigest()


@strawberry.type(description="The place of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more items follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether this page was requested with `after`.")
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first item; null if the page is empty."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor to pass as `after` for the next page: that of the last item or, if the page "
        "ended early, of a later place. Null if the list has no more items and the page is empty."
    )


@strawberry.type(description="An item of a list and its cursor.")
class Edge(Generic[Node]):
    cursor: str = strawberry.field(description="The cursor of the item, to pass as `after`.")
    node: Node = strawberry.field(description="The item.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[Node]):
    page: strawberry.Private[Page[Node]]
    follows_cursor: strawberry.Private[bool]
    listing: strawberry.Private[str] = ""

    @field("The items of this page.")
    def nodes(self) -> list[Node]:
        return list(self.page.items)

    @field("The items of this page, each with its cursor.")
    def edges(self) -> list[Edge[Node]]:
        return [
            Edge(cursor=encode_cursor(sort_key, self.listing), node=node)
            for sort_key, node in zip(self.page.sort_keys, self.page.items, strict=True)
        ]

    @field("The place of this page in the list.")
    def page_info(self) -> PageInfo:
        sort_keys, last_key = self.page.sort_keys, self.page.last_key
        return PageInfo(
            has_next_page=self.page.has_next,
            has_previous_page=self.follows_cursor,
            start_cursor=encode_cursor(sort_keys[0], self.listing) if sort_keys else None,
            end_cursor=None if last_key is None else encode_cursor(last_key, self.listing),
        )
