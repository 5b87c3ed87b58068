"""How an SQLite file is opened: with which connections, settings and locks."""

import sqlite3
import time
from asyncio import Lock
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from storage import driver
from storage.backend import Backend
from storage.prepared import PreparingConnection, Statements

BUSY_TIMEOUT_MS = 5_000
READERS = 4
WAL = "PRAGMA journal_mode = WAL"
PRAGMAS = (
    WAL,
    # In WAL mode NORMAL survives a killed program whole; a power cut may lose the last commits, no more.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA cache_size = -65536",
    "PRAGMA temp_store = MEMORY",
    # A chunk writes thousands of pages: a checkpoint each 1,000 would copy the same pages again and again.
    "PRAGMA wal_autocheckpoint = 8000",
)


def sqlite_backend(path: Path) -> Backend:
    """A pool of connections that read, and one that writes."""
    writer = _engine(path, pool_size=1)
    event.listen(writer.sync_engine, "begin", _take_the_write_lock)
    statements = Statements(writer.dialect)
    return Backend(
        readers=_engine(path, pool_size=READERS),
        writers=writer,
        connect=lambda engine: PreparingConnection(engine, statements),
        # SQLite lets one connection write at a time: waiting here is fair and cheap, in busy_timeout neither.
        turn=Lock(),
        why_unavailable=_why_unavailable,
    )


class _Connection(sqlite3.Connection):
    """Gives its lock back when it is closed.

    SQLite keeps a closed connection, lock and all, as long as one of its statements is alive; and the
    traceback of a task that was cancelled in the middle of a transaction keeps one alive for a while.
    """

    def close(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # it was closed before
            self.rollback()
        super().close()


def _engine(path: Path, *, pool_size: int) -> AsyncEngine:
    url = URL.create("sqlite+aiosqlite", database=str(path))
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        connect_args={"isolation_level": None, "factory": _Connection},
    )
    event.listen(engine.sync_engine, "do_connect", driver.connect)
    event.listen(engine.sync_engine, "connect", _set_pragmas)
    return engine


def _set_pragmas(connection: driver.OneStepConnection, _: Any) -> None:
    connection.run_async(lambda _: connection.run(_switch_to_wal))
    for pragma in PRAGMAS:
        connection.execute(pragma)


def _switch_to_wal(connection: sqlite3.Connection) -> driver.Answer:
    # Of several that switch a new file at once SQLite refuses all but one, without any waiting.
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1_000
    while True:
        try:
            return driver.execute(connection, WAL)
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _take_the_write_lock(connection: Any) -> None:
    # A transaction that begins by reading would have to upgrade its lock later, and can fail then for ever.
    connection.connection.dbapi_connection.send(driver.execute, "BEGIN IMMEDIATE")


def _why_unavailable(error: Exception) -> str | None:
    return str(error.orig) if isinstance(error, OperationalError) else None
