"""Opens a PostgreSQL database, with its pools, settings and locks."""

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
"""Most connections of one program that read, and most that write."""
CONNECT_SECONDS = 5
LOCK_WAIT = "5s"
MIGRATION_WAIT = "60s"
"""How long one program waits for another that changes the schema."""
SETTINGS = {
    "application_name": "uplift",
    "timezone": "UTC",
    "lock_timeout": LOCK_WAIT,
    # A program that was stopped in the middle of a transaction must not keep its upgrade from all others.
    "idle_in_transaction_session_timeout": "10s",
    # Compiling pays off for statements of seconds; ours take milliseconds.
    "jit": "off",
    # Plans for any chunk at all would expect the same few rows of each.
    "plan_cache_mode": "force_custom_plan",
}
TRANSACTION_TIMEOUT = "60s"
"""What writes takes far less. A program that was stopped when half of a statement was sent never ends it: to
the server that is not idle, and no other time limit ends it.
"""
TRANSACTION_TIMEOUT_SINCE = (17,)
"""The first version that knows such a limit."""
UNAVAILABLE_SQLSTATES = ("08", "40", "53", "55", "57")
"""Classes of SQLSTATE that pass: connection, rolled back, out of resources, locked, operator intervention."""


class PostgresBackend:
    """Two pools, so that those who read never wait for those who wait for a lock."""

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
        del in_background  # the work is done by the server, which treats all alike
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
            # A lock on a table that waits for one who reads it keeps all others waiting, too.
            await connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
            yield connection

    async def analyze(self) -> None:
        # By itself the server does so within a minute, if nobody has turned that off.
        async with self.reading() as connection:
            await connection.exec_driver_sql("ANALYZE instance")

    def unavailable_reason(self, error: Exception) -> str | None:
        if isinstance(error, (OSError, PoolTimeoutError)):
            return _without_addresses(error)
        is_cut = isinstance(error, DBAPIError) and error.connection_invalidated
        # The driver's own errors come from COPY, which goes past SQLAlchemy.
        original = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(original, "sqlstate", None) or ""
        return str(original) if is_cut or state.startswith(UNAVAILABLE_SQLSTATES) else None

    def pools(self) -> Mapping[str, PoolUse]:
        return {"reading": _pool_use(self._readers), "writing": _pool_use(self._writers)}

    async def close(self) -> None:
        await self._readers.dispose()
        await self._writers.dispose()


def _without_addresses(error: OSError | PoolTimeoutError) -> str:
    """Why the database was not reachable, for clients: without its address."""
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else type(error).__name__


def _engine(url: URL, *, isolation_level: Any) -> AsyncEngine:
    # The driver reads a URL the way PostgreSQL's own programs do, sslmode and all.
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
    pool: Any = engine.pool  # of the one kind that is made here, which counts
    return PoolUse(pool.checkedout(), pool.size())


def _set_transaction_timeout(connection: Any, _: Any) -> None:
    if _has_transaction_timeout(connection):
        limit = f"SET transaction_timeout = '{TRANSACTION_TIMEOUT}'"
        connection.run_async(lambda driver_connection: driver_connection.execute(limit))


def _has_transaction_timeout(connection: Any) -> bool:
    version: tuple[int, ...] = connection.driver_connection.get_server_version()
    return version >= TRANSACTION_TIMEOUT_SINCE


def _require_open(connection: Any, _: Any, __: Any) -> None:
    # The driver hears at once that its server is gone; asking the server each time would cost a round trip.
    if connection.driver_connection.is_closed():
        raise DisconnectionError
