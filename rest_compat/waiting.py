"""How long does a client wait for its upgrade? To its end, unless it leaves before, or the server does."""

import asyncio

from starlette.types import Receive

from uplift.domain.concurrency import first_of
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.ports import Store
from uplift.domain.use_cases.watch import get_upgrade, wait_until_finished


async def wait_for_the_end(
    store: Store, upgrade: Upgrade, receive: Receive, stopping: asyncio.Event, *, seconds: float | None
) -> Upgrade:
    """The upgrade when it is finished, or as it is after so many seconds, or once nobody is there to wait.

    That is when the client has hung up, or the server is being stopped. Nothing but the waiting ends with
    these: a worker works on.
    """
    if upgrade.is_finished:
        return upgrade
    end = wait_until_finished(store, upgrade, seconds=seconds)
    return await first_of(end, _hung_up(receive), stopping.wait()) or await get_upgrade(store, upgrade.id)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
