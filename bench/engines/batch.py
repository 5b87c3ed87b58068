"""Times whole upgrades of instances in a real Operaton beside Operaton's own batch, with default settings.

Operaton runs with the defaults of its Spring Boot starter, and Java with its own: nothing is set but the
address and the port. So a job of the batch moves one instance, the job executor has 3 threads, history is
full, and data is kept in memory. The batch's monitor job looks every 30 seconds whether it has ended.

- Cold: a program that has just started, and in which either Uplift or the batch is the first to move.
- Warm: one program, by turns. Before, bare requests have moved all instances there and back.

A batch has two times: until the last instance has moved, and until Operaton says that the batch has ended.
Run: python -m bench.engines.batch [instances] [cold starts of each] [warm rounds]
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.engines.operaton import bare, migration, start, undo, upgrade
from tests.engines.linked_operaton import LinkedOperaton
from tests.support.operaton import PROJECT, started
from uplift.domain.model.link import EngineVersionId
from uplift.storage.store import SqlStore

POLL = 0.25
"""Seconds between two looks at a batch."""
WARM_UP = 3
"""How often bare requests move all instances there and back before the warm rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTimes:
    """Seconds from the request of a batch to the last move, and to its end."""

    moved: float
    ended: float


async def run_batch(linked: LinkedOperaton, source: EngineVersionId, target: EngineVersionId) -> BatchTimes:
    """Move all instances by the engine's own batch."""
    call = linked.harness.call
    began = time.perf_counter()
    batch = await call("POST", "/migration/executeAsync", migration(source, target, linked.ids))
    moved: float | None = None
    while True:
        has_ended = not await call("GET", "/batch", batchId=batch["id"])
        if moved is None:
            count = (await call("GET", "/process-instance/count", processDefinitionId=source))["count"]
            moved = None if count else time.perf_counter() - began
        if has_ended:
            assert moved is not None, "a batch ends after its last job"
            return BatchTimes(moved=moved, ended=time.perf_counter() - began)
        await asyncio.sleep(POLL)


async def timed_upgrade(linked: LinkedOperaton) -> float:
    """Upgrade all instances by Uplift, from the request to the last answer, and undo it; in seconds."""
    began = time.perf_counter()
    upgraded = await upgrade(linked)
    seconds = time.perf_counter() - began
    await undo(linked, upgraded)
    return seconds


@asynccontextmanager
async def new_operaton(count: int) -> AsyncIterator[LinkedOperaton]:
    """A new Operaton with default settings, and instances of version 1 of a process that has two."""
    properties = {"server.address": "127.0.0.1", "server.port": 0}
    with (
        tempfile.TemporaryDirectory() as folder,
        started(PROJECT, properties, path="/engine-rest", java=("java",)) as engine,
    ):
        store = await SqlStore.open(Path(folder) / "upgrades.sqlite")
        async with LinkedOperaton.open(store, engine.url) as linked:
            await linked.deploy("check", "approve")
            await start(linked, count)
            await linked.deploy("check", "sign")
            await linked.sweep()
            yield linked
        await store.close()


def show_round(name: str, batch: BatchTimes, ours: float) -> None:
    print(f"{name}: the batch {batch.moved:.1f} s and {batch.ended:.1f} s, Uplift {ours:.1f} s", flush=True)


def show(name: str, batches: Sequence[BatchTimes], ours: Sequence[float], count: int) -> None:
    moved, ended, mine = median(b.moved for b in batches), median(b.ended for b in batches), median(ours)
    print(
        f"{name}, medians: the batch moves {count / moved:,.0f} a second and {count / ended:,.0f} until its "
        f"end, Uplift {count / mine:,.0f}: {moved / mine:.1f} and {ended / mine:.1f} times as fast",
        flush=True,
    )


async def cold(count: int, starts: int) -> None:
    batches, ours = [], []
    for _ in range(starts):
        async with new_operaton(count) as linked:
            ours.append(await timed_upgrade(linked))
        async with new_operaton(count) as linked:
            batches.append(await run_batch(linked, *linked.versions))
        show_round("cold", batches[-1], ours[-1])
    show("cold", batches, ours, count)


async def warm(count: int, rounds: int) -> None:
    batches, ours = [], []
    async with new_operaton(count) as linked:
        first, second = linked.versions
        for _ in range(WARM_UP):
            await bare(linked, first, second)
            await bare(linked, second, first)
        for _ in range(rounds):
            batches.append(await run_batch(linked, first, second))
            await bare(linked, second, first)
            ours.append(await timed_upgrade(linked))
            show_round("warm", batches[-1], ours[-1])
    show("warm", batches, ours, count)


async def main(count: int, starts: int, rounds: int) -> None:
    if starts:
        await cold(count, starts)
    if rounds:
        await warm(count, rounds)


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*arguments, *(5_000, 2, 5)[len(arguments) :]))
