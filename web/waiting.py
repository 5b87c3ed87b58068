"""Waits for the end of an upgrade on behalf of a client."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Receive

from uplift.domain.concurrency import first_of
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.ports import Store
from uplift.domain.use_cases.watch import get_upgrade, wait_until_finished


async def wait_for_end(
    store: Store,
    upgrade: Upgrade,
    *,
    max_seconds: float | None,
    stopping: asyncio.Event,
    disconnected: Callable[[], Awaitable[object]] | None = None,
) -> Upgrade:
    """The finished upgrade, or its current state if the waiting ends earlier.

    It ends after `max_seconds` (None: no limit), when `stopping` is set, and when `disconnected` returns.
    The upgrade itself goes on in any case. Raises StoreUnavailable.
    """
    if upgrade.is_finished:
        return upgrade
    end = wait_until_finished(store, upgrade, timeout_seconds=max_seconds)
    interruptions = [stopping.wait()] if disconnected is None else [stopping.wait(), disconnected()]
    return await first_of(end, *interruptions) or await get_upgrade(store, upgrade.id)


async def disconnection(receive: Receive) -> None:
    """Returns when the client of a request whose body has been read closes the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
