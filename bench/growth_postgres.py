"""Measures how the cost per instance on PostgreSQL grows with the number of instances.

Upgrades 40 % of the instances, and reads single ones, in a database of each size on a private server;
compares the cost per instance. The tables are filled by SQL, the indexes built afterwards, as
`uplift import` into an empty database would have left them. Count on 400 bytes of disk per instance.
Run: python -m bench.growth_postgres [smaller] [larger]
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most
from bench.figures.needs import postgresql
from bench.on_postgres import BASE, Spent, a_bare_connection, figures_of, populate, spending
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Microseconds of an upgraded instance, and of one that is read."""

    upgraded: Spent
    read: Spent


async def costs_of(count: int) -> Costs:
    with a_server() as server:
        began = time.perf_counter()
        await fill(server, count)
        filled = time.perf_counter() - began
        reads, read = await look_up(server)
        spent, upgraded = await upgrade(server)
    print(
        f"{count:>12,} instances (filled in {filled:.0f} s): {upgraded:,} upgraded in {spent.wall:.1f} s",
        flush=True,
    )
    return Costs(upgraded=_each(spent, upgraded), read=_each(reads, read))


def _each(spent: Spent, count: int) -> Spent:
    return Spent(wall=spent.wall / count * 1e6, cpu=spent.cpu / count * 1e6)


async def take(smaller: int, larger: int) -> list[Figure]:
    few, many = await costs_of(smaller), await costs_of(larger)
    beside = f"with {smaller:,}"
    return [
        *figures_of(
            f"an instance of {larger:,}",
            [many.upgraded],
            [few.upgraded],
            beside=beside,
            target=TARGET,
            unit="µs",
        ),
        *figures_of("one read by its id", [many.read], [few.read], beside=beside, target=None, unit="µs"),
    ]


def measure(smaller: int, larger: int) -> list[Figure]:
    return asyncio.run(take(smaller, larger))


TARGET = at_most("an instance with many, beside 1,000,000", 1.2)
BENCH = Bench(
    compares="the time of an upgrade for each instance on PostgreSQL, with many instances beside 1,000,000",
    sizes={"smaller": (1_000_000, 2_000), "larger": (5_000_000, 20_000)},
    targets=(TARGET,),
    measure=measure,
    needs=(postgresql,),
)

if __name__ == "__main__":
    run_alone(BENCH)
