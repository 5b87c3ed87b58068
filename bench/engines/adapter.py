"""Compares the adapter to Camunda 7 with bare requests to a real Operaton.

- A sweep: all instances of a version and those at an element, in pages of 5,000, beside the bare requests.
- Moves: requests of 100 instances, two at a time, beside the bare requests. Both move the instances to the
  next version and back again, by turns.

Operaton keeps its data in memory and shares the cores with the client. It needs Java and Maven.
Run: python -m bench.engines.adapter [instances] [rounds]
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median

import httpx2

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


async def compare(name: str, ours: Contender, bare: Contender, rounds: int) -> None:
    """Print the rates of both by turns, and the median of the ratios."""
    await ours(), await bare()
    pairs = []
    for number in range(rounds):
        if number % 2:
            second = await rate(bare)
            pairs.append((await rate(ours), second))
        else:
            first = await rate(ours)
            pairs.append((first, await rate(bare)))
    ratio = median(ours_rate / bare_rate for ours_rate, bare_rate in pairs)
    mine, other = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    print(f"{name}: {mine:,.0f}/s, bare {other:,.0f}/s, ratio {ratio:.2f}", flush=True)


async def main(count: int, rounds: int) -> None:
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

            await compare("sweep", sweep, bare_sweep, rounds)
            there, back = (a_plan(*ends, check="check") for ends in ((source, target), (target, source)))

            async def moves() -> int:
                return await in_lanes(ours.move, there, ids) + await in_lanes(ours.move, back, ids)

            async def bare_moves() -> int:
                return await in_lanes(bare.move, there, ids) + await in_lanes(bare.move, back, ids)

            await compare("moves", moves, bare_moves, rounds)
        await ours.close()


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*arguments, *(5_000, 3)[len(arguments) :]))
