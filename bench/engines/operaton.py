"""Times whole upgrades of instances in a real Operaton, and a sweep of them.

The floors are bare synchronous requests of 100 ids, two at a time, and bare paging through what a sweep
reads. All work on the same instances, which go to version 2 and back. Operaton runs on H2 in memory, on the
same cores.
Run: python -m bench.engines.operaton [instances to upgrade] [instances to sweep] [rounds]
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from uuid import uuid4

from bench.figures import needs
from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_least, compared
from bench.population import ADMIN
from tests.engines.linked_operaton import LinkedOperaton
from tests.support.operaton import operaton
from uplift.domain import (
    UndoRequest,
    UpgradeId,
    UpgradeRequest,
    Worker,
    all_active,
    request_undo,
    request_upgrade,
)
from uplift.domain.model.link import EngineInstanceId, EngineVersionId
from uplift.domain.ports.process_engine import EngineCursor, EnginePage
from uplift.engines.camunda7 import Camunda7Engine
from uplift.storage.store import SqlStore

STARTS = 8
"""Requests to start instances that are under way at a time."""
SIZE = 100
LANES = 2


async def start(linked: LinkedOperaton, count: int) -> None:
    """Start instances of the newest version."""
    await asyncio.gather(*(linked.start(count // STARTS + (lane < count % STARTS)) for lane in range(STARTS)))


async def timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return time.perf_counter() - began


async def bare(linked: LinkedOperaton, source: EngineVersionId, target: EngineVersionId) -> None:
    """Move all instances by synchronous requests, without Uplift."""
    parts = [linked.ids[first : first + SIZE] for first in range(0, len(linked.ids), SIZE)]

    async def lane() -> None:
        while parts:
            await linked.harness.call("POST", "/migration/execute", migration(source, target, parts.pop()))

    await asyncio.gather(*(lane() for _ in range(LANES)))


def migration(
    source: EngineVersionId, target: EngineVersionId, ids: Sequence[EngineInstanceId]
) -> dict[str, object]:
    step = {"sourceActivityIds": ["check"], "targetActivityIds": ["check"]}
    return {
        "migrationPlan": {
            "sourceProcessDefinitionId": source,
            "targetProcessDefinitionId": target,
            "instructions": [step],
        },
        "processInstanceIds": list(ids),
        "skipCustomListeners": True,
        "skipIoMappings": True,
    }


async def upgrade(linked: LinkedOperaton) -> UpgradeId:
    """Upgrade all instances by Uplift, from the request to the last answer."""
    request = UpgradeRequest(process=linked.process, selection=all_active())
    requested = await request_upgrade(linked.store, request, caller=ADMIN, worker=Worker(name=str(uuid4())))
    done = await linked.run(requested)
    assert done.upgraded == len(linked.ids), done
    return done.id


async def undo(linked: LinkedOperaton, upgraded: UpgradeId) -> None:
    requested = await request_undo(
        linked.store, UndoRequest(upgrade_id=upgraded), caller=ADMIN, worker=Worker(name=str(uuid4()))
    )
    done = await linked.run(requested)
    assert done.upgraded == len(linked.ids), done


async def page_through(engine: Camunda7Engine, linked: LinkedOperaton) -> None:
    """Read what a sweep reads, page by page, and keep nothing."""

    async def pages(read: Callable[[EngineCursor | None], Awaitable[EnginePage[EngineInstanceId]]]) -> None:
        after: EngineCursor | None = None
        while True:
            page = await read(after)
            if page.next is None:
                return
            after = page.next

    await engine.describe()
    await engine.versions()
    for version in linked.versions:
        await pages(lambda after, version=version: engine.instances(version, after))  # type: ignore[misc]
    model = await linked.store.processes.model(linked.process, 1)  # type: ignore[arg-type]
    assert model is not None
    for element in await linked.held.worker.comparer.elements(model):
        if element.is_wait_state:
            await pages(
                lambda after, element=element: engine.waiting(linked.versions[0], element.element.id, after)  # type: ignore[misc]
            )


async def upgrades(folder: Path, url: str, count: int, rounds: int) -> Figure:
    store = await SqlStore.open(folder / "upgrades.sqlite")
    async with LinkedOperaton.open(store, url) as linked:
        first = await linked.deploy("check", "approve")
        await start(linked, count)
        second = await linked.deploy("check", "sign")
        await linked.sweep()
        # The engine compiles as it runs, and Uplift its statements.
        await bare(linked, first, second)
        await bare(linked, second, first)
        floors, ours = [], []
        for _ in range(rounds):
            floors.append(count / await timed(bare(linked, first, second)))
            await bare(linked, second, first)
            began = time.perf_counter()
            upgraded = await upgrade(linked)
            ours.append(count / (time.perf_counter() - began))
            await undo(linked, upgraded)
            print(f"bare {floors[-1]:,.0f} a second, Uplift {ours[-1]:,.0f}", flush=True)
    await store.close()
    return compared("whole upgrades", ours, floors, unit="/s", beside="bare requests", target=UPGRADES)


async def sweeps(folder: Path, url: str, count: int, rounds: int) -> Figure:
    store = await SqlStore.open(folder / "sweeps.sqlite")
    async with LinkedOperaton.open(store, url) as linked:
        await linked.deploy("check", "approve")
        await start(linked, count)
        await linked.deploy("check", "sign")
        print(f"a sweep when all are new: {count / await timed(linked.sweep()):,.0f} a second")
        engine = Camunda7Engine(url, tenant=linked.tenant)
        await page_through(engine, linked)
        floors, ours = [], []
        for _ in range(rounds):
            floors.append(count / await timed(page_through(engine, linked)))
            ours.append(count / await timed(linked.sweep()))
        await engine.close()
    await store.close()
    return compared("sweep", ours, floors, unit="/s", beside="bare paging", target=SWEEPS)


async def take(count: int, swept: int, rounds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as name, operaton() as engine:
        return [
            await upgrades(Path(name), engine.url, count, rounds),
            await sweeps(Path(name), engine.url, swept, rounds),
        ]


def measure(count: int, swept: int, rounds: int) -> list[Figure]:
    return asyncio.run(take(count, swept, rounds))


UPGRADES = at_least("whole upgrades", 0.9)
SWEEPS = at_least("sweep", 0.8)
BENCH = Bench(
    compares=(
        "whole upgrades by Uplift in Operaton, beside bare requests of 100 ids, two at a time; a sweep "
        "beside bare paging through what it reads"
    ),
    sizes={"instances": (5_000, 100), "swept": (20_000, 200), "rounds": (3, 1)},
    targets=(UPGRADES, SWEEPS),
    measure=measure,
    needs=(needs.operaton,),
)

if __name__ == "__main__":
    run_alone(BENCH)
