"""How does a method become a field of the schema?

As strawberry does it, but with its types kept for mypy, with a description that cannot be forgotten, and at
the top of operations never without the node budget.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import strawberry

from graphql_api.budget import WithinBudget, counted_as

Resolver = TypeVar("Resolver", bound=Callable[..., Any])


def field(description: str, *, nodes: int = 0) -> Callable[[Resolver], Resolver]:
    """Make a method a field; `nodes` is how many nodes it counts for in the budget of an operation."""
    made: Callable[[Resolver], Resolver] = strawberry.field(
        description=description, metadata=counted_as(nodes)
    )
    return made


def root_field(description: str) -> Callable[[Resolver], Resolver]:
    """Make a method of Query or Mutation a field."""
    made: Callable[[Resolver], Resolver] = strawberry.field(
        description=description, extensions=[WithinBudget()]
    )
    return made
