"""Measures how the cost per instance on PostgreSQL grows with the number of instances.

Upgrades 40 % of the instances, and reads single ones, in a database of each size on a private server;
prints the cost per instance. The tables are filled by SQL, the indexes built afterwards, as
`uplift import` into an empty database would have left them. Count on 400 bytes of disk per instance.
Run: python -m bench.growth_postgres [counts …]
"""

import asyncio
import sys
import time
from datetime import timedelta

from bench.on_postgres import BASE, Spent, a_bare_connection, populate, spending
from bench.population import ADMIN, OLD_VERSIONS, POSITIONS, PROCESS
from tests.support.postgres import Server, a_server
from uplift.domain import Worker, all_active, upgrade_instances
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.model.request import UpgradeRequest
from uplift.storage.store import SqlStore

FIRST = 1_000
CHUNK_POLICY = ChunkPolicy(
    initial_size=10_000, min_size=10_000, max_size=10_000, pause=timedelta(), partition_size=100_000
)
"""Chunks of one size: those of a busy machine would be smaller, and cost more an instance."""
LOOKED_UP = 2_000
FILL = f"""
INSERT INTO instance (uuid, process_id, version, status, position_id)
SELECT gen_random_uuid(), 1, 1 + floor(random() * {OLD_VERSIONS})::int,
       CASE WHEN random() < 0.4 THEN 1 ELSE 3 END, 1 + floor(random() * {POSITIONS})::int
FROM generate_series(1, $1)
"""
INDEXES = """
SELECT indexname AS name, indexdef AS definition FROM pg_indexes
WHERE tablename = 'instance' AND indexname <> 'instance_pkey'
"""


async def fill(server: Server, count: int) -> None:
    """A database with `count` instances like those of bench.population."""
    await populate(server, FIRST)
    async with a_bare_connection(server, BASE) as connection:
        await connection.execute("SET maintenance_work_mem = '1GB'")
        indexes = await connection.fetch(INDEXES)
        await connection.execute("ALTER TABLE instance DROP CONSTRAINT instance_uuid_key")
        for index in indexes:
            await connection.execute(f"DROP INDEX IF EXISTS {index['name']}")
        await connection.execute(FILL, count - FIRST)
        for index in indexes:
            await connection.execute(index["definition"])
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")


async def upgrade(server: Server) -> tuple[Spent, int]:
    store = await SqlStore.open(server.url(BASE))
    with spending(server) as spent:
        worker = Worker(name="bench", chunk_policy=CHUNK_POLICY)
        done = await upgrade_instances(
            store, UpgradeRequest(process=PROCESS, selection=all_active()), caller=ADMIN, worker=worker
        )
    await store.close()
    return spent, done.upgraded


async def look_up(server: Server) -> tuple[Spent, int]:
    """Reads single instances at random places of the table."""
    async with a_bare_connection(server, BASE) as connection:
        last = await connection.fetchval("SELECT max(id) FROM instance")
        numbers = range(1, last, max(1, last // LOOKED_UP))
        ids = await connection.fetch("SELECT uuid FROM instance WHERE id = ANY($1)", list(numbers))
    store = await SqlStore.open(server.url(BASE))
    await store.instances.find_many([ids[0]["uuid"]])
    with spending(server) as spent:
        for row in ids:
            await store.instances.find_many([row["uuid"]])
    await store.close()
    return spent, len(ids)


async def measure(count: int) -> Spent:
    with a_server() as server:
        began = time.perf_counter()
        await fill(server, count)
        filled = time.perf_counter() - began
        reads, read = await look_up(server)
        spent, upgraded = await upgrade(server)
    print(
        f"{count:>12,} instances (filled in {filled:.0f} s): {upgraded:,} upgraded in {spent.wall:.1f} s, "
        f"{_each(spent, upgraded)}; one read by its id: {_each(reads, read)}",
        flush=True,
    )
    return Spent(wall=spent.wall / upgraded, cpu=spent.cpu / upgraded)


def _each(spent: Spent, count: int) -> str:
    return f"{spent.wall / count * 1e6:.2f} µs each (CPU time {spent.cpu / count * 1e6:.2f} µs)"


async def main(counts: list[int]) -> None:
    costs = [await measure(count) for count in counts]
    print(
        f"the largest beside the smallest, an instance: {costs[-1].wall / costs[0].wall:.2f} "
        f"(CPU time {costs[-1].cpu / costs[0].cpu:.2f})"
    )


if __name__ == "__main__":
    asyncio.run(main([int(argument) for argument in sys.argv[1:]] or [1_000_000, 5_000_000, 10_000_000]))
