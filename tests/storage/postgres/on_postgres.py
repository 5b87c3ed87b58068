"""What tests of the store on PostgreSQL ask of the server besides."""

from asyncio import sleep
from typing import Any

import pytest

from uplift.storage.store import SqlStore

SOMEONE_WAITS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def ask(store: SqlStore, sql: str) -> Any:
    """The first value that a statement answers."""
    async with store.database.reading() as connection:
        return (await connection.exec_driver_sql(sql)).scalar()


async def until_someone_waits_for_a_row(store: SqlStore) -> None:
    await until(store, SOMEONE_WAITS)


async def until(store: SqlStore, count: str) -> None:
    """Wait until a statement counts something."""
    for _ in range(3_000):
        if await ask(store, count):
            return
        await sleep(0.01)
    pytest.fail(f"Expected that to come within 30 seconds, but it did not: {count}")
