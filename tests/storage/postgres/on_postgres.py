"""Queries to the PostgreSQL server of a store, and waits for what they count."""

from asyncio import sleep
from typing import Any

import pytest

from uplift.storage.store import SqlStore

LOCK_WAITS = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def ask(store: SqlStore, sql: str) -> Any:
    """The first value of the first row."""
    async with store.database.reading() as connection:
        return (await connection.exec_driver_sql(sql)).scalar()


async def until_a_lock_is_awaited(store: SqlStore) -> None:
    await until(store, LOCK_WAITS)


async def until(store: SqlStore, count: str) -> None:
    """Wait until a query counts more than zero. Fails after 30 seconds."""
    for _ in range(3_000):
        if await ask(store, count):
            return
        await sleep(0.01)
    pytest.fail(f"Expected a count above 0 within 30 seconds, but there was none: {count}")
