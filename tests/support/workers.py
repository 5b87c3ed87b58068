"""Workers that run queued upgrades, as a server or `uplift worker` has them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from itertools import chain, repeat
from typing import Any

from uplift.domain import Upgrade, Worker, claim, run_upgrade
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.ports import Store


def a_worker(
    name: str = "worker", *, size: int = 2, pause: float = 0, partition_size: int | None = None
) -> Worker:
    """A worker that runs chunks of `size` instances and pauses for `pause` seconds between them.

    It claims partitions of `partition_size` instances, or all remaining instances of an upgrade.
    """
    chunk_policy = ChunkPolicy(
        inline_limit=size,
        initial_size=size,
        min_size=size,
        max_size=size,
        pause=timedelta(seconds=pause),
        partition_size=partition_size,
    )
    return Worker(name=name, chunk_policy=chunk_policy)


@asynccontextmanager
async def running_worker(store: Store, worker: Worker) -> AsyncIterator[None]:
    """Run queued upgrades while the block runs."""
    task = asyncio.create_task(_run_all(store, worker))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def run_next_upgrade(store: Store, worker: Worker, *, chunks: int | None = None) -> Upgrade:
    """Run the next upgrade in the queue to its end, or queue it again after this number of chunks."""
    stops = repeat(False) if chunks is None else chain([False] * chunks, repeat(True))
    return await run_upgrade(store, await _claimed(store, worker), worker, should_stop=lambda: next(stops))


async def run_one_chunk(store: Store, worker: Worker) -> None:
    """Run one chunk of the next upgrade and crash: the upgrade stays RUNNING, leased to the worker."""
    with suppress(_CrashError):
        await run_upgrade(store, await _claimed(store, worker), worker, on_progress=_crash)


async def wait_until_only(idle: set[asyncio.Task[Any]]) -> None:
    """Return when no unfinished tasks remain but these."""
    async with asyncio.timeout(10):
        while True:
            if not asyncio.all_tasks() - idle:
                return
            await asyncio.sleep(0.01)


class _CrashError(Exception):
    """A crash of a worker."""


def _crash(_: Upgrade) -> None:
    raise _CrashError


async def _claimed(store: Store, worker: Worker) -> Upgrade:
    upgrade = await claim(store, worker)
    assert upgrade is not None, "nothing is queued"
    return upgrade


async def _run_all(store: Store, worker: Worker) -> None:
    while True:
        upgrade = await claim(store, worker)
        if upgrade is None:
            await store.wait_for_change(0.05)
        else:
            await run_upgrade(store, upgrade, worker)
