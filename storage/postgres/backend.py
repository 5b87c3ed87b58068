"""Opens a PostgreSQL database, with its connection pools, settings, locks and timeouts."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from uplift.storage.backend import PoolUse
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import lock_subject

MAX_CONNECTIONS = 8
"""The size of each of the two pools, readers and writers, of one program."""
CONNECT_SECONDS = 5
LOCK_WAIT = "5s"
MIGRATION_WAIT = "60s"
"""How long to wait for another program that migrates the schema."""
SETTINGS = {
    "application_name": "uplift",
    "timezone": "UTC",
    "lock_timeout": LOCK_WAIT,
    # A client frozen in a transaction must not keep its locks, and so block its upgrade for all others.
    "idle_in_transaction_session_timeout": "10s",
    # JIT compilation pays off for statements of seconds; ours take milliseconds.
    "jit": "off",
    # A generic plan would assume the same small number of rows for each chunk.
    "plan_cache_mode": "force_custom_plan",
}
TRANSACTION_TIMEOUT = "60s"
"""The timeout of a write transaction, which usually takes milliseconds.

A client frozen mid-statement is not idle in transaction; only transaction_timeout ends it.
"""
TRANSACTION_TIMEOUT_SINCE = (17,)
"""The first server version with transaction_timeout."""
UNAVAILABLE_SQLSTATES = ("08", "40", "53", "55", "57")
"""Transient classes of SQLSTATE: connection, rollback, resources, object state, operator intervention."""


class PostgresBackend:
    """Two pools, so that reads never wait for transactions that wait for a lock."""

    migrates_itself = False

    def __init__(self, url: URL) -> None:
        self._readers = _engine(url, isolation_level="AUTOCOMMIT")
        self._writers = _engine(url, isolation_level="READ COMMITTED")
        event.listen(self._writers.sync_engine, "connect", _set_transaction_timeout)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        connection = Connection(self._readers)
        async with connection:
            yield connection

    @asynccontextmanager
    async def writing(self, *, in_background: bool) -> AsyncIterator[Connection]:
        del in_background  # the server does the work, and has no priorities
        connection = Connection(self._writers)
        async with connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[Connection]:
        async with self.writing(in_background=False) as connection:
            if _has_transaction_timeout(await connection.get_raw_connection()):
                await connection.exec_driver_sql("SET LOCAL transaction_timeout = 0")
            await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{MIGRATION_WAIT}'")
            await lock_subject(connection, "schema")
            # A waiting table lock blocks all later readers of the table, so the revisions wait less.
            await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
            yield connection

    async def analyze(self) -> None:
        # Autovacuum would do so within a minute, if it is on.
        async with self.reading() as connection:
            await connection.exec_driver_sql("ANALYZE instance")

    def unavailable_reason(self, error: Exception) -> str | None:
        if isinstance(error, (OSError, PoolTimeoutError)):
            return _without_addresses(error)
        is_cut = isinstance(error, DBAPIError) and error.connection_invalidated
        # COPY bypasses SQLAlchemy, so its errors are those of the driver.
        original = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(original, "sqlstate", None) or ""
        return str(original) if is_cut or state.startswith(UNAVAILABLE_SQLSTATES) else None

    def pools(self) -> Mapping[str, PoolUse]:
        return {"reading": _pool_use(self._readers), "writing": _pool_use(self._writers)}

    async def close(self) -> None:
        await self._readers.dispose()
        await self._writers.dispose()


def _without_addresses(error: OSError | PoolTimeoutError) -> str:
    """The reason why the database is unreachable, without its address, because clients may see it."""
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else type(error).__name__


def _engine(url: URL, *, isolation_level: Any) -> AsyncEngine:
    # Pass the URL on as it is: asyncpg reads its options, such as sslmode, as libpq does.
    dsn = url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)
    engine = create_async_engine(
        "postgresql+asyncpg://",
        isolation_level=isolation_level,
        pool_size=MAX_CONNECTIONS,
        max_overflow=0,
        connect_args={"dsn": dsn, "timeout": CONNECT_SECONDS, "server_settings": SETTINGS},
    )
    event.listen(engine.sync_engine, "checkout", _require_open)
    return engine


def _pool_use(engine: AsyncEngine) -> PoolUse:
    pool: Any = engine.pool  # a QueuePool, whose type has these methods
    return PoolUse(pool.checkedout(), pool.size())


def _set_transaction_timeout(connection: Any, _: Any) -> None:
    if _has_transaction_timeout(connection):
        limit = f"SET transaction_timeout = '{TRANSACTION_TIMEOUT}'"
        connection.run_async(lambda driver_connection: driver_connection.execute(limit))


def _has_transaction_timeout(connection: Any) -> bool:
    version: tuple[int, ...] = connection.driver_connection.get_server_version()
    return version >= TRANSACTION_TIMEOUT_SINCE


def _require_open(connection: Any, _: Any, __: Any) -> None:
    # asyncpg notices at once when the server closes the connection; a ping would cost a round trip.
    if connection.driver_connection.is_closed():
        raise DisconnectionError
