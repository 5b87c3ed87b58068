"""Makes the two connection pools for a PostgreSQL server, or for a connection pooler in front of it."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from uplift.domain.errors import InvalidInput
from uplift.storage.postgres.connect import ConnectOptions, connect
from uplift.storage.sql.dialect import LOCK_WAIT

MAX_CONNECTIONS = 8
"""The size of each of the two pools, readers and writers, of one program."""
SETTINGS = {
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
CLOSE_SECONDS = 2
REFUSED_TRANSACTION = "transaction blocks not allowed"
"""What PgBouncer says in statement mode; its SQLSTATE there is that of any closed connection."""
UNNAMED: dict[str, Any] = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: "",
}
"""Keeps no prepared statement: the next transaction may get another connection of the pooler, without it.

The driver sends an unnamed statement and its execution as one message up to Sync, which no pooler splits.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The pools for reads in autocommit mode and for write transactions.

    Each write transaction begins with the statement `begin`: a pooler keeps no settings of a session.
    """

    readers: AsyncEngine
    writers: AsyncEngine
    begin: str | None

    async def dispose(self) -> None:
        """Close the connections that are not in use now; others are closed after their use."""
        await self.readers.dispose()
        await self.writers.dispose()


async def make_engines(options: ConnectOptions) -> Engines:
    """The pools, after a look at what answers. Raises InvalidInput for a pooler that splits transactions."""
    version, is_pooled = await _look(options)
    settings = {name: value for name, value in SETTINGS.items() if name not in options.set_by_options}
    # A server before version 17 would refuse a session with this one.
    of_writers = dict(settings)
    if version >= TRANSACTION_TIMEOUT_SINCE and "transaction_timeout" not in options.set_by_options:
        of_writers["transaction_timeout"] = TRANSACTION_TIMEOUT
    session = _session(options)
    if is_pooled:
        set_all = ", ".join(_set_local(name, value) for name, value in of_writers.items())
        return Engines(
            readers=_engine(options, "AUTOCOMMIT", session, UNNAMED),
            writers=_engine(options, "READ COMMITTED", session, UNNAMED),
            begin=f"SELECT {set_all}" if set_all else None,
        )
    return Engines(
        readers=_engine(options, "AUTOCOMMIT", session | settings, {}),
        writers=_engine(options, "READ COMMITTED", session | of_writers, {}),
        begin=None,
    )


async def _look(options: ConnectOptions) -> tuple[tuple[int, ...], bool]:
    """The version of the server, and whether a pooler answers for it.

    A pooler makes up the process id that a client gets at its start.
    """
    connection = await connect(options, statement_cache_size=0, server_settings=_session(options))
    try:
        try:
            await connection.execute("BEGIN")
        except Exception as error:
            if REFUSED_TRANSACTION not in str(error):
                raise
            raise InvalidInput(
                "Expected the connection pooler in the database URL to allow transactions, as PgBouncer does "
                "with pool_mode transaction or session, but it refuses them.",
                field=("database_url",),
            ) from error
        process_id = await connection.fetchval("SELECT pg_backend_pid()")
        await connection.execute("ROLLBACK")
        version: tuple[int, ...] = connection.get_server_version()
        return version, process_id != connection.get_server_pid()
    finally:
        with suppress(Exception):  # a pooler that refused the transaction has closed it
            await connection.close(timeout=CLOSE_SECONDS)


def _set_local(name: str, value: str) -> str:
    """Sets a setting until the end of the transaction. Unlike SET, several fit into one statement."""
    return f"set_config('{name}', '{value}', true)"


def _session(options: ConnectOptions) -> dict[str, str]:
    """The settings of a session that poolers know, and those that the URL asks for."""
    session = {"application_name": options.application_name, "timezone": "UTC"}
    return session if options.options is None else {**session, "options": options.options}


def _engine(
    options: ConnectOptions, isolation_level: Any, settings: dict[str, str], driver_options: dict[str, Any]
) -> AsyncEngine:
    # SQLAlchemy itself takes the two options of prepared statements, and passes the others on.
    connect_to: Callable[..., Any] = partial(connect, options)
    engine = create_async_engine(
        "postgresql+asyncpg://",
        isolation_level=isolation_level,
        pool_size=MAX_CONNECTIONS,
        max_overflow=0,
        connect_args={"async_creator_fn": connect_to, "server_settings": settings, **driver_options},
    )
    event.listen(engine.sync_engine, "checkout", _require_open)
    return engine


def _require_open(connection: Any, _: Any, __: Any) -> None:
    # asyncpg notices at once when the server closes the connection; a ping would cost a round trip.
    if connection.driver_connection.is_closed():
        raise DisconnectionError
