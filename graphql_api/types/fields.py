"""How does a method become a field of the schema?

As strawberry does it, but with its types kept for mypy, with a description that cannot be forgotten, and at
the top of operations never without the node budget.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry

from uplift.graphql_api.engine.budget import WithinBudget, counted_as

Resolver = TypeVar("Resolver", bound=Callable[..., Any])


def field(description: str, *, nodes: int = 0, items: int | None = None) -> Callable[[Resolver], Resolver]:
    """Make a method a field.

    In the budget of an operation it counts as `nodes`, and what is inside once, or once for each of so many
    `items`, each itself a node.
    """
    made: Callable[[Resolver], Resolver] = strawberry.field(
        description=description, metadata=counted_as(nodes, items=items)
    )
    return made


def root_field(description: str, *, nodes: int = 0) -> Callable[[Resolver], Resolver]:
    """Make a method of Query or Mutation a field, which counts as so many nodes."""
    made: Callable[[Resolver], Resolver] = strawberry.field(
        description=description, extensions=[WithinBudget()], metadata=counted_as(nodes)
    )
    return made


def subscription_field(description: str) -> Callable[[Resolver], Resolver]:
    """Make a method of Subscription, which returns an asynchronous generator of events, a field.

    The node budget holds for each event.
    """
    made: Callable[[Resolver], Resolver] = strawberry.subscription(
        description=description, extensions=[WithinBudget()]
    )
    return made
