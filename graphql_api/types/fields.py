"""Decorators that make a method a field of the schema.

They add to strawberry's own: mypy keeps the type of the method, the description is mandatory, and every root
field checks the node budget.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import strawberry
from strawberry.extensions.field_extension import AsyncExtensionResolver

from uplift.domain.model.access import require_reader
from uplift.graphql_api.engine.budget import WithinBudget, counted_as

Resolver = TypeVar("Resolver", bound=Callable[..., Any])


def field(
    description: str, *, nodes: int = 0, items: int | None = None, per: Mapping[str, float] | None = None
) -> Callable[[Resolver], Resolver]:
    """Make a method a field.

    In the node budget the field itself costs `nodes`, and for each value of an argument what `per` says (see
    `counted_as`). Its subfields count once, or once for each of the expected number of `items`, each of which
    is a node as well.
    """
    decorator: Callable[[Resolver], Resolver] = strawberry.field(
        description=description, metadata=counted_as(nodes, items=items, per=per)
    )
    return decorator


def root_field(
    description: str,
    *,
    nodes: int = 0,
    per: Mapping[str, float] | None = None,
    for_engines: bool = False,
) -> Callable[[Resolver], Resolver]:
    """Make a method of Query or Mutation a field that costs `nodes`, and `per` value, in the node budget.

    Keys of engines may request it only if it is `for_engines`.
    """
    decorator: Callable[[Resolver], Resolver] = strawberry.field(
        description=description,
        extensions=[WithinBudget() if for_engines else _NotForEngines()],
        metadata=counted_as(nodes, per=per),
    )
    return decorator


def subscription_field(description: str, *, items: int | None = None) -> Callable[[Resolver], Resolver]:
    """Make a method of Subscription that returns an asynchronous generator of events a field.

    The node budget holds for each event. If an event is a list, `items` is its largest length.
    """
    decorator: Callable[[Resolver], Resolver] = strawberry.subscription(
        description=description, extensions=[_NotForEngines()], metadata=counted_as(0, items=items)
    )
    return decorator


class _NotForEngines(WithinBudget):
    """Refuses the keys of engines as well."""

    async def resolve_async(
        self, next_: AsyncExtensionResolver, source: Any, info: Any, **kwargs: Any
    ) -> Any:
        require_reader(info.context.caller)
        return await super().resolve_async(next_, source, info, **kwargs)
