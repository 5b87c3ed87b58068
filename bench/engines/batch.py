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
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.engines.operaton import bare, migration, start, undo, upgrade
from bench.figures import needs
from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_least, compared
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


async def cold(count: int, starts: int) -> tuple[list[BatchTimes], list[float]]:
    batches, ours = [], []
    for _ in range(starts):
        async with new_operaton(count) as linked:
            ours.append(await timed_upgrade(linked))
        async with new_operaton(count) as linked:
            batches.append(await run_batch(linked, *linked.versions))
        show_round("cold", batches[-1], ours[-1])
    return batches, ours


async def warm(count: int, rounds: int) -> tuple[list[BatchTimes], list[float]]:
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
    return batches, ours


def show_round(name: str, batch: BatchTimes, ours: float) -> None:
    print(f"{name}: the batch {batch.moved:.1f} s and {batch.ended:.1f} s, Uplift {ours:.1f} s", flush=True)


def figures_of(name: str, batches: Sequence[BatchTimes], ours: Sequence[float], count: int) -> list[Figure]:
    """Instances a second, beside the batch until its last move and until its end."""
    rates = [count / seconds for seconds in ours]
    moved, ended = [count / batch.moved for batch in batches], [count / batch.ended for batch in batches]
    return [
        compared(f"{name}, until the last move", rates, moved, unit="/s", beside="the batch", target=MOVED),
        compared(f"{name}, until the end", rates, ended, unit="/s", beside="the batch", target=ENDED),
    ]


async def take(count: int, starts: int, rounds: int) -> list[Figure]:
    return [
        *figures_of("cold", *await cold(count, starts), count),
        *figures_of("warm", *await warm(count, rounds), count),
    ]


def measure(count: int, starts: int, rounds: int) -> list[Figure]:
    return asyncio.run(take(count, starts, rounds))


MOVED = at_least("instances a second, until the last move", 5)
ENDED = at_least("instances a second, until the end", 5)
BENCH = Bench(
    compares=(
        "whole upgrades by Uplift, beside Operaton's own batch, with default settings; in programs that have "
        "just started, and in one that has run for a while"
    ),
    sizes={"instances": (5_000, 50), "cold_starts": (2, 1), "warm_rounds": (3, 1)},
    targets=(MOVED, ENDED),
    measure=measure,
    needs=(needs.operaton,),
)

if __name__ == "__main__":
    run_alone(BENCH)
