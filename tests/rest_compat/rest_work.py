"""Runs upgrades that are too large for one chunk."""

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
    """A worker whose chunks are so small that an upgrade needs several, with a pause of `rest` seconds."""
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
async def running_worker(store: Store, worker: Worker) -> AsyncIterator[None]:
    """Runs queued upgrades one after the other inside the block."""
    task = asyncio.create_task(_run_all_upgrades(store, worker))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def run_next_upgrade(store: Store, worker: Worker, *, chunks: int | None = None) -> Upgrade:
    """Runs the first queued upgrade; after this number of chunks it is queued again."""
    upgrade = await claim(store, worker)
    assert upgrade is not None
    stops = repeat(False) if chunks is None else chain([False] * chunks, repeat(True))
    return await run_upgrade(store, upgrade, worker, should_stop=lambda: next(stops))


async def soon(answer: Callable[[], Awaitable[Answer | None]]) -> Answer:
    """The first answer that is not None."""
    async with asyncio.timeout(10):
        while True:
            found = await answer()
            if found is not None:
                return found
            await asyncio.sleep(0.005)


async def until_idle(tasks: set[asyncio.Task[Any]]) -> None:
    """Waits until only these tasks run."""

    async def all_others_are_gone() -> bool | None:
        return not asyncio.all_tasks() - tasks or None

    await soon(all_others_are_gone)


async def the_upgrade(store: Store) -> Upgrade | None:
    """The only upgrade, or None."""
    upgrades = (await store.upgrades(None, PageRequest(first=2))).items
    assert len(upgrades) < 2
    return upgrades[0] if upgrades else None


async def _run_all_upgrades(store: Store, worker: Worker) -> None:
    while True:
        upgrade = await claim(store, worker)
        if upgrade is None:
            await store.wait_for_change(0.05)
        else:
            await run_upgrade(store, upgrade, worker)
