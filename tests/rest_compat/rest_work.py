"""Who works off the upgrades that are too large for one chunk?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import chain, repeat
from typing import Any, TypeVar

from uplift.domain import Upgrade, Worker, claim, run_upgrade
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import Store
from uplift.domain.use_cases.run import ChunkPolicy

Answer = TypeVar("Answer")

CHUNK = 2
"""Instances of a chunk where it must be small."""


def a_worker(*, name: str = "slow", rest: float = 0) -> Worker:
    """A worker whose chunks are so small that most upgrades need several; it rests this long between them."""
    return Worker(
        name=name,
        chunk_policy=ChunkPolicy(
            inline_limit=CHUNK,
            initial_size=CHUNK,
            min_size=CHUNK,
            max_size=CHUNK,
            pause=timedelta(seconds=rest),
        ),
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


async def work_off_one(store: Store, worker: Worker, *, chunks: int | None = None) -> Upgrade:
    """Work the upgrade off that waits first; after so many chunks it is queued again."""
    upgrade = await claim(store, worker)
    assert upgrade is not None
    stops = repeat(False) if chunks is None else chain([False] * chunks, repeat(True))
    return await run_upgrade(store, upgrade, worker, should_stop=lambda: next(stops))


async def soon(answer: Callable[[], Awaitable[Answer | None]]) -> Answer:
    """The answer, once there is one."""
    async with asyncio.timeout(10):
        while True:
            found = await answer()
            if found is not None:
                return found
            await asyncio.sleep(0.005)


async def must_be_idle(tasks: set[asyncio.Task[Any]]) -> None:
    """Nothing runs any more, or soon nothing will, besides these tasks."""

    async def all_others_are_gone() -> bool | None:
        return not asyncio.all_tasks() - tasks or None

    await soon(all_others_are_gone)


async def the_upgrade(store: Store) -> Upgrade | None:
    """The only upgrade, if there is one."""
    upgrades = (await store.upgrades(None, PageRequest(first=2))).items
    assert len(upgrades) < 2
    return upgrades[0] if upgrades else None


async def _work_off_all(store: Store, worker: Worker) -> None:
    while True:
        upgrade = await claim(store, worker)
        if upgrade is None:
            await store.wait_for_change(0.05)
        else:
            await run_upgrade(store, upgrade, worker)
