"""How long does a whole upgrade take on PostgreSQL beside the bare statements that nobody can do without?

The floor is one audit INSERT … SELECT and one UPDATE of the same rows in one transaction, sent by the bare
driver to the same private server, on a copy of the same database. Run: python -m bench.upgrade_postgres
[instances] [rounds]
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from statistics import median

import asyncpg

from bench.population import ADMIN, PROCESS, batches
from domain import (
    all_active,
    create_process,
    publish_version,
    register_instances,
    save_draft,
    upgrade_instances,
)
from domain.working import Pace, Worker
from storage.store import SqlStore
from tests.support.postgres import Server, a_server

FLOOR = (
    """
    INSERT INTO outcome (upgrade_id, instance_id, version, status, position_id)
    SELECT 1, id, version, status, position_id FROM instance
    WHERE process_id = 1 AND status <= 2 AND version < 4
    """,
    "UPDATE instance SET version = 4 WHERE process_id = 1 AND status <= 2 AND status = 1 AND version < 4",
)


async def populate(server: Server, count: int) -> float:
    await server.execute("CREATE DATABASE base")
    store = await SqlStore.open(server.url("base"))
    start = time.perf_counter()
    await create_process(store, namespace=PROCESS.namespace, code=PROCESS.code, title=None, caller=ADMIN)
    for _ in range(3):
        await publish(store)
    for batch in batches(count, seed=1):
        await register_instances(store, process=PROCESS, instances=batch, caller=ADMIN)
    await publish(store)
    took = time.perf_counter() - start
    await store.close()
    await server.execute("VACUUM ANALYZE", database="base")
    return took


async def publish(store: SqlStore) -> None:
    await save_draft(store, process=PROCESS, model=None, caller=ADMIN)
    await publish_version(store, process=PROCESS, caller=ADMIN)


@asynccontextmanager
async def a_copy(server: Server) -> AsyncIterator[str]:
    await server.execute("CREATE DATABASE copy TEMPLATE base")
    await server.execute("CHECKPOINT")
    yield "copy"
    await server.execute("DROP DATABASE copy WITH (FORCE)")


async def floor(server: Server) -> tuple[float, int]:
    async with a_copy(server) as name:
        connection = await asyncpg.connect(server.url(name).render_as_string(), ssl=False)
        start = time.perf_counter()
        async with connection.transaction():
            for statement in FLOOR:
                done = await connection.execute(statement)
        took = time.perf_counter() - start
        await connection.close()
        return took, int(done.split()[-1])


async def ours(server: Server) -> tuple[float, int, float]:
    chunks = [0.0]

    async with a_copy(server) as name:
        store = await SqlStore.open(server.url(name))
        start = last = time.perf_counter()

        def note(_: object) -> None:
            nonlocal last
            chunks.append(time.perf_counter() - last)
            last = time.perf_counter()

        worker = Worker(name="bench", pace=Pace(target=timedelta(milliseconds=50)))
        done = await upgrade_instances(
            store, process=PROCESS, selection=all_active(), caller=ADMIN, worker=worker, on_progress=note
        )
        took = time.perf_counter() - start
        await store.close()
        return took, done.upgraded, max(chunks[2:])


async def main(count: int, rounds: int) -> None:
    with a_server() as server:
        took = await populate(server, count)
        print(f"registered {count:,} instances in {took:.1f} s ({count / took:,.0f} a second)")
        floors, uppers = [], []
        for _ in range(rounds):
            bare, moved = await floor(server)
            whole, upgraded, longest = await ours(server)
            floors.append(bare)
            uppers.append(whole)
            print(
                f"floor {bare:.3f} s ({moved:,})   ours {whole:.3f} s ({upgraded:,})   "
                f"ratio {whole / bare:.2f}   "
                f"longest chunk {longest * 1e3:.0f} ms"
            )
        print(f"median ratio {median(uppers) / median(floors):.2f}")


if __name__ == "__main__":
    asyncio.run(
        main(
            int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000,
            int(sys.argv[2]) if len(sys.argv) > 2 else 5,
        )
    )
