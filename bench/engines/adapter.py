"""Compares the adapter to Camunda 7 with bare requests to a real Operaton.

- A sweep: all instances of a version and those at an element, in pages of 5,000, beside the bare requests.
- Moves: requests of 100 instances, two at a time, beside the bare requests. Both move the instances to the
  next version and back again, by turns.

Operaton keeps its data in memory and shares the cores with the client. It needs Java and Maven.
Run: python -m bench.engines.adapter [instances] [rounds]
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence

import httpx2

from bench.figures import needs
from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, Target, at_least, compared
from tests.engines.operaton_harness import OperatonHarness
from tests.support.operaton import operaton
from uplift.domain.ports.process_engine import EngineInstanceId, EngineVersionId, MovePlan
from uplift.engines.camunda7 import Camunda7Engine
from uplift.engines.camunda7.engine import PAGE_SIZE
from uplift.engines.camunda7.plans import migration_plan
from uplift.testing.engine.documents import tasks
from uplift.testing.engine.harness import a_plan, a_process_key, instances_in, waiting_in

SIZE, LANES = 100, 2

Ids = Sequence[EngineInstanceId]
Contender = Callable[[], Awaitable[int]]


async def populate(harness: OperatonHarness, count: int) -> tuple[EngineVersionId, EngineVersionId]:
    """Two versions of a process, and instances of the first."""
    key = a_process_key()
    versions = [await harness.deploy(key, tasks(key, "check", "pay")) for _ in range(2)]
    await harness.start_many(key, count)
    return versions[0], versions[1]


class Bare:
    """A client that sends the requests of the adapter, and does nothing else."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def list(self, version: EngineVersionId, **query: str) -> int:
        """Count the instances of a list, page by page."""
        fixed = {"processDefinitionId": version, "sortBy": "instanceId", "sortOrder": "asc", **query}
        first = 0
        while True:
            page = {"firstResult": first, "maxResults": PAGE_SIZE}
            rows = json.loads((await self._http.get("/process-instance", params={**fixed, **page})).content)
            first += len([row["id"] for row in rows])
            if len(rows) < PAGE_SIZE:
                return first

    async def move(self, plan: MovePlan, ids: Ids) -> None:
        """Move instances, which must succeed."""
        body = {
            "migrationPlan": migration_plan(plan),
            "processInstanceIds": ids,
            "skipCustomListeners": True,
            "skipIoMappings": True,
        }
        reply = await self._http.post("/migration/execute", json=body)
        assert reply.status_code == 204, reply.text


async def in_lanes(move: Callable[[MovePlan, Ids], Awaitable[object]], plan: MovePlan, ids: Ids) -> int:
    """Move all instances, two requests at a time."""
    waiting = [ids[start : start + SIZE] for start in range(0, len(ids), SIZE)]

    async def lane() -> None:
        while waiting:
            await move(plan, waiting.pop())

    await asyncio.gather(*(lane() for _ in range(LANES)))
    return len(ids)


async def rate(work: Contender) -> float:
    """Instances a second."""
    start = time.perf_counter()
    count: int = await work()
    return count / (time.perf_counter() - start)


async def compare(name: str, ours: Contender, bare: Contender, rounds: int, target: Target) -> Figure:
    """The rates of both, by turns."""
    await ours(), await bare()
    mine: list[float] = []
    other: list[float] = []
    for number in range(rounds):
        turns = [(mine, ours), (other, bare)]
        for rates, work in turns if number % 2 else reversed(turns):
            rates.append(await rate(work))
        print(f"{name}: {mine[-1]:,.0f}/s, bare {other[-1]:,.0f}/s", flush=True)
    return compared(name, mine, other, unit="/s", beside="bare requests", target=target)


async def take(count: int, rounds: int) -> list[Figure]:
    with operaton() as engine:
        http = httpx2.AsyncClient(base_url=engine.url, timeout=60)
        ours, bare = Camunda7Engine(engine.url), Bare(http)
        async with OperatonHarness.open(engine.url) as harness, http:
            source, target = await populate(harness, count)
            ids = await instances_in(ours, source)
            print(f"{len(ids):,} instances", flush=True)

            async def sweep() -> int:
                return len(await instances_in(ours, source)) + len(await waiting_in(ours, source, "check"))

            async def bare_sweep() -> int:
                return await bare.list(source) + await bare.list(source, activityIdIn="check")

            sweeps = await compare("sweep", sweep, bare_sweep, rounds, SWEEPS)
            there, back = (a_plan(*ends, check="check") for ends in ((source, target), (target, source)))

            async def moves() -> int:
                return await in_lanes(ours.move, there, ids) + await in_lanes(ours.move, back, ids)

            async def bare_moves() -> int:
                return await in_lanes(bare.move, there, ids) + await in_lanes(bare.move, back, ids)

            moved = await compare("moves", moves, bare_moves, rounds, MOVES)
        await ours.close()
    return [sweeps, moved]


def measure(count: int, rounds: int) -> list[Figure]:
    return asyncio.run(take(count, rounds))


SWEEPS = at_least("sweep", 0.8)
MOVES = at_least("moves", 0.9)
BENCH = Bench(
    compares=(
        "the adapter to Camunda 7 beside bare requests to the same Operaton: a sweep in pages of 5,000, and "
        "moves of 100 instances, two requests at a time"
    ),
    sizes={"instances": (5_000, 200), "rounds": (3, 1)},
    targets=(SWEEPS, MOVES),
    measure=measure,
    needs=(needs.operaton,),
)

if __name__ == "__main__":
    run_alone(BENCH)
