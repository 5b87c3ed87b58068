"""Gives tests a cluster of Citus that somebody has started, in place of hash partitions.

UPLIFT_CITUS names the ports of its nodes on this machine, the coordinator first, such as 26430,26431,26432.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import asyncpg
from sqlalchemy.engine import URL

from uplift.storage.citus.distribution import Planned, carry_out
from uplift.storage.database import Database

NODES = tuple(int(port) for port in os.environ.get("UPLIFT_CITUS", "").split(",") if port)
"""The ports of the nodes."""
NUMBERS = count(1)


@asynccontextmanager
async def a_distributed_database(shards: int) -> AsyncIterator[URL]:
    """A database with empty tables on so many shards, for the block only."""
    name = f"uplift_{os.getpid()}_{next(NUMBERS)}"
    for port in NODES:
        await _execute(port, "postgres", f"CREATE DATABASE {name}")
        await _execute(port, name, "CREATE EXTENSION citus")
    coordinator, *workers = NODES
    await _execute(coordinator, name, f"SELECT citus_set_coordinator_host('127.0.0.1', {coordinator})")
    for port in workers:
        await _execute(coordinator, name, f"SELECT citus_add_node('127.0.0.1', {port})")
    try:
        url = URL.create("postgresql", "postgres", host="127.0.0.1", port=coordinator, database=name)
        await _distribute(url, shards)
        yield url
    finally:
        for port in NODES:
            await _execute(port, "postgres", f"DROP DATABASE {name} WITH (FORCE)")


async def _distribute(url: URL, shards: int) -> None:
    """Create the tables, and distribute them as `uplift db distribute` does, which refuses a single shard."""
    created = await Database.open(url)
    await created.close()
    database = Database.at(url)
    async with database.migrating() as connection:
        planned = Planned(is_distributed=False, instances=0, shards=shards, workers=len(NODES) - 1)
        await carry_out(connection, planned)
    await database.close()


async def _execute(port: int, database: str, sql: str) -> None:
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user="postgres", database=database, ssl=False
    )
    try:
        # Citus would run CREATE DATABASE on the other nodes as well.
        await connection.execute("SET citus.enable_create_database_propagation = off")
        await connection.execute(sql)
    finally:
        await connection.close()
