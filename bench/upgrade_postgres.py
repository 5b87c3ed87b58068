"""How long does a whole upgrade take on PostgreSQL beside the bare statements that nobody can do without?

The floor is one audit INSERT … SELECT and one UPDATE of the same rows in one transaction, sent by the bare
driver to the same private server, on a copy of the same database. Ours is the upgrade from beginning to end,
as a worker of `uplift serve` does it that has upgraded a small process before; besides, for how long its
transactions kept rows locked.
Run: python -m bench.upgrade_postgres [instances] [rounds] [milliseconds a chunk]
"""

import asyncio
import sys
from statistics import median, quantiles

from bench.on_postgres import Spent, a_bare_connection, a_copy, populate, ratios, spending, worker_on
from bench.population import ADMIN, PROCESS, SMALL_PROCESS
from bench.upgrade_all_active import TimedStore
from domain import all_active, upgrade_instances
from tests.support.postgres import Server, a_server

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


async def ours(server: Server, chunk_ms: int) -> tuple[Spent, int, list[float]]:
    """What it cost, how many were upgraded, and how long each transaction was open."""
    async with a_copy(server) as name:
        store = await TimedStore.open(server.url(name))
        worker = worker_on(server, chunk_ms=chunk_ms)
        await upgrade_instances(
            store, process=SMALL_PROCESS, selection=all_active(), caller=ADMIN, worker=worker
        )
        store.open_for.clear()
        with spending(server) as spent:
            done = await upgrade_instances(
                store, process=PROCESS, selection=all_active(), caller=ADMIN, worker=worker
            )
        await store.close()
        return spent, done.upgraded, store.open_for


async def main(count: int, rounds: int, chunk_ms: int) -> None:
    bare: list[Spent] = []
    whole: list[Spent] = []
    locks: list[float] = []
    with a_server() as server:
        await populate(server, count)
        for _ in range(rounds):
            spent, moved = await floor(server)
            bare.append(spent)
            spent, upgraded, open_for = await ours(server, chunk_ms)
            whole.append(spent)
            locks += open_for
            assert upgraded == moved, (upgraded, moved)
            print(
                f"floor {bare[-1].wall:.3f} s   ours {whole[-1].wall:.3f} s ({upgraded:,})   "
                f"ratio {ratios(whole[-1:], bare[-1:])}   {len(open_for)} transactions"
            )
    print(f"median ratio {ratios(whole, bare)}; at most 1.5 is wanted")
    print(
        f"rows locked: median {median(locks) * 1_000:.0f} ms, "
        f"99th percentile {quantiles(locks, n=100)[98] * 1_000:.0f} ms, longest {max(locks) * 1_000:.0f} ms"
    )


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    asyncio.run(main(*given, *(1_000_000, 5, 50)[len(given) :]))
