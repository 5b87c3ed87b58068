"""How long does a client wait for its upgrade? To its end, unless it leaves before."""

import asyncio
from typing import Any

from starlette.types import Receive

from domain.ports import Store
from domain.upgrade import Upgrade
from domain.watching import wait_until_finished


async def wait_for_the_end(
    store: Store, upgrade: Upgrade, receive: Receive, *, seconds: float | None
) -> Upgrade:
    """The upgrade when it is finished, or as it is after so many seconds, or once the client has hung up.

    Nothing but the waiting ends when a client hangs up: a worker works on.
    """
    if upgrade.is_finished:
        return upgrade
    waiting = asyncio.create_task(wait_until_finished(store, upgrade, seconds=seconds))
    tasks: set[asyncio.Task[Any]] = {waiting, asyncio.create_task(_hung_up(receive))}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return waiting.result() if waiting.done() else upgrade
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
