"""How a database file is opened, read and written."""

import sqlite3
import time
from asyncio import Lock
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from sqlalchemy import event
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from domain.errors import StoreUnavailable
from storage import driver, tables
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


class Database:
    """One SQLite file: a pool of connections that read, and one that writes."""

    def __init__(self, path: Path) -> None:
        self._readers = _engine(path, pool_size=READERS)
        self._writer = _engine(path, pool_size=1)
        self._statements = Statements(self._writer.dialect)
        event.listen(self._writer.sync_engine, "begin", _take_the_write_lock)
        # SQLite lets one connection write at a time: waiting here is fair and cheap, in busy_timeout neither.
        self._turn = Lock()

    @classmethod
    async def open(cls, path: Path) -> Self:
        """Open a database file; what is missing of its tables is created."""
        database = cls(path)
        async with database.writing() as connection:
            await connection.run_sync(tables.metadata.create_all)
        return database

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[PreparingConnection]:
        """A connection for statements that only read, each on its own snapshot."""
        connection = PreparingConnection(self._readers, self._statements)
        with _expected_failures():
            async with connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[PreparingConnection]:
        """A connection in a write transaction, committed at the end or rolled back on an error."""
        connection = PreparingConnection(self._writer, self._statements)
        with _expected_failures():
            async with self._turn, connection, connection.begin():
                yield connection

    async def ping(self) -> None:
        """Ask the database for an answer; raises when there is none."""
        async with self.reading() as connection:
            await connection.exec_driver_sql("SELECT 1")

    async def close(self) -> None:
        await self._readers.dispose()
        await self._writer.dispose()


@contextmanager
def _expected_failures() -> Iterator[None]:
    """Say what an operator can mend, a lock or a full disk, by the domain's own error."""
    try:
        yield
    except OperationalError as error:
        raise StoreUnavailable(f"the database says '{error.orig}'") from error


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
