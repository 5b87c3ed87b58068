"""Opens a PostgreSQL database, with its connection pools, locks and timeouts."""

import asyncio
from asyncio import Task
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

from uplift.domain.errors import StoreUnavailable
from uplift.storage.backend import PoolUse
from uplift.storage.postgres.connect import connect_options
from uplift.storage.postgres.engines import MAX_CONNECTIONS, Engines, make_engines
from uplift.storage.postgres.errors import outage_reason
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import LOCK_WAIT, lock_subject
from uplift.storage.sql.sqlstate import READ_ONLY, sqlstate

MIGRATION_WAIT = "60s"
"""How long to wait for another program that migrates the schema."""
NO_TRANSACTION_TIMEOUT = (
    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name = 'transaction_timeout'"
)
"""Changes nothing before PostgreSQL 17, which has no transaction_timeout."""
IS_READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on'"
"""True on a standby too."""


class PostgresBackend:
    """Two pools, so that reads never wait for transactions that wait for a lock.

    They are made at the first use, because that asks the server what it is.
    """

    migrates_itself = False

    def __init__(self, url: URL) -> None:
        self._options = connect_options(url)
        self._engines: Engines | None = None
        self._making: Task[Engines] | None = None

    @asynccontextmanager
    async def reading(self, *, in_background: bool = False) -> AsyncIterator[Connection]:
        del in_background  # the server does the work, and has no priorities
        connection = Connection((await self._opened()).readers)
        async with connection:
            yield connection

    @asynccontextmanager
    async def writing(self, *, in_background: bool) -> AsyncIterator[Connection]:
        del in_background  # the server does the work, and has no priorities
        engines = await self._opened()
        connection = Connection(engines.writers)
        try:
            async with connection, connection.begin():
                if engines.begin is not None:
                    await connection.exec_driver_sql(engines.begin)
                yield connection
        except Exception as error:
            if sqlstate(error) == READ_ONLY:
                await self._leave_this_server()
            raise

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[Connection]:
        async with self.writing(in_background=False) as connection:
            await connection.exec_driver_sql(NO_TRANSACTION_TIMEOUT)
            await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{MIGRATION_WAIT}'")
            await lock_subject(connection, "schema")
            # A waiting table lock blocks all later readers of the table, so the revisions wait less.
            await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
            yield connection

    async def require_writable(self) -> None:
        async with self.reading() as connection:
            is_read_only = (await connection.exec_driver_sql(IS_READ_ONLY)).scalar_one()
        if is_read_only:
            await self._leave_this_server()
            raise StoreUnavailable("the database is read-only")

    async def now(self) -> datetime:
        async with self.reading() as connection:
            now: datetime = (await connection.exec_driver_sql("SELECT clock_timestamp()")).scalar_one()
        return now

    async def analyze(self) -> None:
        # Autovacuum would do so within a minute, if it is on.
        async with self.reading() as connection:
            await connection.exec_driver_sql("ANALYZE instance")

    async def release_memory(self) -> None:
        """Nothing to do: the server has the caches."""

    def unavailable_reason(self, error: Exception) -> str | None:
        return outage_reason(error)

    def pools(self) -> Mapping[str, PoolUse]:
        engines = self._engines
        if engines is None:
            return {purpose: PoolUse(0, MAX_CONNECTIONS) for purpose in ("reading", "writing")}
        return {"reading": _pool_use(engines.readers), "writing": _pool_use(engines.writers)}

    async def close(self) -> None:
        if self._engines is not None:
            await self._engines.dispose()

    async def _opened(self) -> Engines:
        if self._engines is None:
            # All callers share one attempt: one after the other, they would wait for a server that is off.
            if self._making is None or self._making.done():
                self._making = asyncio.create_task(make_engines(self._options))
                # If all callers were cancelled, asyncio would log its error as one that nobody has seen.
                self._making.add_done_callback(_retrieve)
            making = self._making
            # `shield` would log the error of an attempt whose callers were cancelled, from Python 3.14 on.
            await asyncio.wait((making,))
            self._engines = making.result()
        return self._engines

    async def _leave_this_server(self) -> None:
        """Drop all idle connections: after a failover the URL may lead to another server."""
        if self._engines is not None:
            await self._engines.dispose()


def _retrieve(making: Task[Engines]) -> None:
    if not making.cancelled():
        making.exception()


def _pool_use(engine: AsyncEngine) -> PoolUse:
    pool: Any = engine.pool  # a QueuePool, whose type has these methods
    return PoolUse(pool.checkedout(), pool.size())
