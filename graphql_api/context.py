"""The context of an operation, which every resolver gets as `info.context`."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import strawberry

from uplift.domain.model.access import Caller
from uplift.domain.model.order import SettledOrders
from uplift.domain.ports import Store
from uplift.domain.use_cases.links.objections import Connect
from uplift.domain.use_cases.worker import Worker
from uplift.graphql_api.engine.limits import Limits
from uplift.graphql_api.server_info import ServerInfo

if TYPE_CHECKING:  # loaders return the types of the schema, which import this module
    from uplift.graphql_api.loaders import Loaders

DEFAULT_LIMITS = Limits()
DEFAULT_SERVER = ServerInfo()

OnSettled: TypeAlias = Callable[[str, Sequence[SettledOrders]], None]
"""Called with the name of a link and the orders that its engine settled, once they are stored."""


def ignore_settled(link: str, settled: Sequence[SettledOrders]) -> None:
    """Do nothing; the default of `Context.on_settled`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The store, the caller, and the data loaders of one operation.

    `worker` runs upgrades that fit into one chunk inside the request. A mutation waits at most `wait_seconds`
    for other workers to finish a larger upgrade, and stops waiting when `stopping` is set. `limits` bound
    what the operation may request. `server` is what the server says of itself. `connect` makes the adapter to
    the engine of a link, which plans ask; without it they ask none. `on_settled` is called with the orders
    that an engine has settled by itself.
    """

    store: Store
    caller: Caller
    worker: Worker
    wait_seconds: float
    loaders: "Loaders"
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    limits: Limits = DEFAULT_LIMITS
    server: ServerInfo = DEFAULT_SERVER
    connect: Connect | None = None
    on_settled: OnSettled = ignore_settled


Info = strawberry.Info[Context, None]
