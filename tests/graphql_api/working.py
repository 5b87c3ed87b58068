"""Workers for the upgrades that are too large to be done at once, as a server or another program has them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from uplift.domain import Upgrade, Worker, claim, run_upgrade
from uplift.domain.ports import Store
from uplift.domain.use_cases.run import ChunkPolicy


def a_worker(name: str = "worker", *, size: int = 2, rest: float = 0, partition: int | None = None) -> Worker:
    """A worker whose chunks have so many instances; it rests so many seconds between two.

    It takes `share` instances at a time, or all that is left.
    """
    chunk_policy = ChunkPolicy(
        inline_limit=size,
        initial_size=size,
        min_size=size,
        max_size=size,
        pause=timedelta(seconds=rest),
        partition_size=partition,
    )
    return Worker(name=name, chunk_policy=chunk_policy)


@asynccontextmanager
async def working_off(store: Store, worker: Worker) -> AsyncIterator[None]:
    """While the block runs, what is queued is worked off."""
    task = asyncio.create_task(_work_off_all(store, worker))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def work_off_next(store: Store, worker: Worker) -> Upgrade:
    """Work off the upgrade whose turn it is, to its end."""
    return await run_upgrade(store, await _claimed(store, worker), worker)


async def work_one_chunk(store: Store, worker: Worker) -> None:
    """Work off one chunk of the upgrade whose turn it is, and die: it stays RUNNING, leased to the worker."""
    with suppress(_DiedError):
        await run_upgrade(store, await _claimed(store, worker), worker, on_progress=_die)


async def until_only(idle: set[asyncio.Task[Any]]) -> None:
    """Return when no other tasks are left than these and those that were done."""
    async with asyncio.timeout(10):
        while True:
            if not asyncio.all_tasks() - idle:
                return
            await asyncio.sleep(0.01)


class _DiedError(Exception):
    """A worker that dies."""


def _die(_: Upgrade) -> None:
    raise _DiedError


async def _claimed(store: Store, worker: Worker) -> Upgrade:
    upgrade = await claim(store, worker)
    assert upgrade is not None, "nothing is queued"
    return upgrade


async def _work_off_all(store: Store, worker: Worker) -> None:
    while True:
        upgrade = await claim(store, worker)
        if upgrade is None:
            await store.wait_for_change(0.05)
        else:
            await run_upgrade(store, upgrade, worker)
