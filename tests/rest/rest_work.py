"""Who works off the upgrades that are too large for one chunk?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from domain import Worker, claim, work_off
from domain.ports import Store
from domain.working import Pace

CHUNK = 2
"""Instances of a chunk where it must be small."""


def a_worker(*, name: str = "slow", rest: float = 0) -> Worker:
    """A worker whose chunks are so small that most upgrades need several; it rests this long between them."""
    return Worker(
        name=name,
        pace=Pace(first_size=CHUNK, smallest=CHUNK, largest=CHUNK, rest=timedelta(seconds=rest)),
    )


@asynccontextmanager
async def working_off(store: Store, worker: Worker) -> AsyncIterator[None]:
    """Inside of the block upgrades that are queued are worked off, one after the other."""
    task = asyncio.create_task(_work_off_all(store, worker))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _work_off_all(store: Store, worker: Worker) -> None:
    while True:
        upgrade = await claim(store, worker)
        if upgrade is None:
            await store.wait_for_change(0.05)
        else:
            await work_off(store, upgrade, worker)
