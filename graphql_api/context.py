"""What does every resolver of one operation have at hand?"""

import asyncio
from dataclasses import dataclass

import strawberry

from uplift.domain.model.access import Caller
from uplift.domain.ports import Store
from uplift.domain.use_cases.run import Worker
from uplift.graphql_api.engine.limits import Limits
from uplift.graphql_api.loaders import Loaders

DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where things are kept, who asks, and what this one operation has read so far.

    `worker` does at once what fits into a chunk; `wait_seconds` is how long a mutation waits for others to do
    the rest. Once `stopping` is set, it waits no longer. `limits` bound what the operation may ask for.
    """

    store: Store
    caller: Caller
    worker: Worker
    wait_seconds: float
    stopping: asyncio.Event
    limits: Limits
    loaders: Loaders


def context_of(
    store: Store,
    caller: Caller,
    *,
    worker: Worker,
    wait_seconds: float,
    stopping: asyncio.Event | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Context:
    """The context of a new operation of this caller."""
    return Context(
        store=store,
        caller=caller,
        worker=worker,
        wait_seconds=wait_seconds,
        stopping=stopping or asyncio.Event(),
        limits=limits,
        loaders=Loaders(store),
    )


Info = strawberry.Info[Context, None]
