"""Distributes a database, and executes statements on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.engine import URL

from tests.support.postgres import the_server
from uplift.storage.citus.distribution import Planned, distribute
from uplift.storage.database import Database
from uplift.storage.sql.connection import Connection


async def distribute_at(url: URL | Path, shards: int | None = 4) -> Planned:
    """As `uplift db distribute --yes` does."""
    database = Database.at(url)
    try:
        async with database.migrating() as connection:
            return await distribute(connection, shards)
    finally:
        await database.close()


@asynccontextmanager
async def changed(url: URL, sql: str) -> AsyncIterator[Connection]:
    """A connection that sees what statements have changed; all of it is rolled back at the end."""
    database = Database.at(url)
    try:
        async with database.migrating() as connection:
            for statement in filter(None, sql.format(database=url.database).split("; ")):
                await connection.exec_driver_sql(statement)
            yield connection
            await connection.rollback()
    finally:
        await database.close()


async def execute(url: URL, sql: str) -> None:
    """Change a database for good."""
    assert url.database is not None
    await the_server().execute(f"SET search_path = public, fake_citus; {sql}", database=url.database)
