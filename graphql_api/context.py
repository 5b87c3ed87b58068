"""What does every resolver of one operation have at hand?"""

from dataclasses import dataclass

import strawberry

from domain.access import Caller
from domain.ports import Store
from graphql_api.loaders import Loaders


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where things are kept, who asks, and what this one operation has read so far."""

    store: Store
    caller: Caller
    loaders: Loaders


def context_of(store: Store, caller: Caller) -> Context:
    """The context of a new operation of this caller."""
    return Context(store=store, caller=caller, loaders=Loaders(store))


Info = strawberry.Info[Context, None]
