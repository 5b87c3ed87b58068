"""Times a whole upgrade on PostgreSQL against the bare statements that it needs.

The floor is one audit INSERT … SELECT and one UPDATE of the same rows in one transaction, sent by the bare
driver to the same private server, on a copy of the same database. Ours is the upgrade from beginning to end,
as the workers of `uplift serve` do it that have upgraded a small process before: one alone, and two and four
that share it; besides, for how long its transactions kept rows locked.
Run: python -m bench.upgrade_postgres [instances] [rounds] [milliseconds a chunk]
"""

import asyncio
import sys
from collections import defaultdict
from collections.abc import Sequence
from statistics import median, quantiles

from bench.on_postgres import Spent, a_bare_connection, a_copy, populate, ratios, settings_on, spending
from bench.population import ADMIN, PROCESS, SMALL_PROCESS
from bench.upgrade_all_active import TimedStore
from tests.support.postgres import Server, a_server
from uplift.domain import ProcessKey, Upgrade, Worker, all_active, request_upgrade
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.use_cases.upgrade import finish_upgrade

WORKERS = (1, 2, 4)
FLOOR = (
    """
    INSERT INTO outcome (upgrade_id, instance_id, version, status, position_id)
    SELECT 1, id, version, status, position_id FROM instance
    WHERE process_id = 1 AND status <= 2 AND version < 4
    """,
    "UPDATE instance SET version = 4 WHERE process_id = 1 AND status <= 2 AND status = 1 AND version < 4",
)


async def floor(server: Server) -> tuple[Spent, int]:
    async with a_copy(server) as name, a_bare_connection(server, name) as connection:
        with spending(server) as spent:
            async with connection.transaction():
                for statement in FLOOR:
                    done = await connection.execute(statement)
        return spent, int(done.split()[-1])


async def ours(server: Server, workers: Sequence[Worker]) -> tuple[Spent, int, list[float]]:
    """What it cost, how many were upgraded, and how long each transaction was open."""
    async with a_copy(server) as name:
        store = await TimedStore.open(server.url(name))
        await upgraded(store, SMALL_PROCESS, workers)
        store.open_for.clear()
        with spending(server) as spent:
            done = await upgraded(store, PROCESS, workers)
        await store.close()
        return spent, done.upgraded, store.open_for


async def upgraded(store: TimedStore, process: ProcessKey, workers: Sequence[Worker]) -> Upgrade:
    queued = await request_upgrade(
        store, UpgradeRequest(process=process, selection=all_active()), caller=ADMIN, worker=workers[0]
    )
    ends = await asyncio.gather(*(finish_upgrade(store, queued, worker) for worker in workers))
    return ends[0]


def lock_times(locks: list[float]) -> str:
    longest = quantiles(locks, n=100)[98]
    return (
        f"rows locked: median {median(locks) * 1_000:.0f} ms, "
        f"99th percentile {longest * 1_000:.0f} ms, longest {max(locks) * 1_000:.0f} ms"
    )


async def main(count: int, rounds: int, chunk_ms: int) -> None:
    bare: list[Spent] = []
    whole: dict[int, list[Spent]] = defaultdict(list)
    locks: dict[int, list[float]] = defaultdict(list)
    with a_server() as server:
        settings = settings_on(server, chunk_ms=chunk_ms)
        await populate(server, count)
        for _ in range(rounds):
            spent, moved = await floor(server)
            bare.append(spent)
            print(f"floor {spent.wall:.3f} s", end="")
            for several in WORKERS:
                named = [settings.build_worker(f"bench {number}") for number in range(several)]
                spent, done, open_for = await ours(server, named)
                whole[several].append(spent)
                locks[several] += open_for
                assert done == moved, (done, moved)
                ratio = ratios([spent], bare[-1:])
                print(f"   {several} at work {spent.wall:.3f} s ({done:,})   ratio {ratio}", end="")
            print()
    for several, spents in whole.items():
        print(f"{several} at work: median ratio {ratios(spents, bare)}; {lock_times(locks[several])}")
    print("one at most 1.5, two at most 1.0, and four not slower than two are required")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    asyncio.run(main(*arguments, *(1_000_000, 5, 50)[len(arguments) :]))
