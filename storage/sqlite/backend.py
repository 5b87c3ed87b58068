"""Opens an SQLite file, with its connection pools, settings, locks and checkpoints."""

import asyncio
import logging
import sqlite3
import time
from asyncio import Semaphore, Task, shield
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from weakref import WeakSet

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from uplift.domain.clock import utc_now
from uplift.domain.errors import StoreUnavailable
from uplift.storage.backend import PoolUse
from uplift.storage.sql.connection import Connection
from uplift.storage.sqlite.driver import SqliteConnection, execute, primary_code
from uplift.storage.sqlite.files import DatabaseFiles
from uplift.storage.sqlite.pool import ConnectionPool
from uplift.storage.sqlite.prepared import StatementCache
from uplift.storage.sqlite.thread_priority import lower_thread_priority

LOCK_WAIT = 5.0
"""Seconds to wait for a lock of the file that another program holds."""
MIGRATION_WAIT = 60.0
"""Seconds to wait for another program that migrates the schema."""
MAX_READERS = 4
WAL = "PRAGMA journal_mode = WAL"
PRAGMAS = (
    WAL,
    # In WAL mode NORMAL is safe against a crash of the program. A power cut may lose the last commits, but
    # does not corrupt the file.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA temp_store = MEMORY",
    # A background connection makes the checkpoints, so that no commit has to.
    "PRAGMA wal_autocheckpoint = 0",
)
# Small caches are enough: the page cache of the system is nearly as fast.
READER_PRAGMAS = (*PRAGMAS, "PRAGMA cache_size = -8192", f"PRAGMA busy_timeout = {LOCK_WAIT * 1_000:.0f}")
# Writers wait in `begin_immediate`, which retries more often than SQLite's busy handler.
WRITER_PRAGMAS = (
    *PRAGMAS,
    "PRAGMA cache_size = -16384",
    "PRAGMA busy_timeout = 0",
)
# A migration that rebuilds a table drops it while others refer to it. The keys are checked at its end.
DISABLE_FOREIGN_KEYS = "PRAGMA foreign_keys = OFF"
CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"
CHECKPOINT_INTERVAL = 0.5
"""The least seconds between two checkpoints."""
WAL_RESET_PAGES = 16_384
"""The length of the WAL, in pages of 4 KiB, from which it is reset."""

logger = logging.getLogger(__name__)

UNAVAILABLE_CODES = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)
"""Result codes that are transient or for an operator to repair, unlike a corrupt file or a missing table."""


class SqliteBackend:
    """Connections to one file: a pool of readers, two writers that take turns, and one for checkpoints.

    Background transactions have a writer of their own, because its thread has a lower priority. It reads for
    them, too.
    """

    migrates_itself = True

    def __init__(self, path: Path) -> None:
        self._engine = create_async_engine(
            URL.create("sqlite+aiosqlite", database=str(path)),
            poolclass=NullPool,
            # RUN_INLINE statements run on the thread of the event loop, all others on that of the connection.
            connect_args={"isolation_level": None, "check_same_thread": False, "factory": _Connection},
        )
        self._statements = StatementCache(self._engine.dialect)
        self._files = DatabaseFiles(path)
        self._connections: WeakSet[SqliteConnection] = WeakSet()
        self._readers = ConnectionPool(partial(self._open, READER_PRAGMAS), MAX_READERS)
        # SQLite lets one connection write at a time. Waiting for this semaphore is fair and cheap; polling
        # for the lock of the file is neither.
        self._write_turn = Semaphore(1)
        self._writer = ConnectionPool(partial(self._open, WRITER_PRAGMAS), 1)
        self._background_writer = ConnectionPool(partial(self._open, WRITER_PRAGMAS, in_background=True), 1)
        self._checkpointer = ConnectionPool(partial(self._open, READER_PRAGMAS, in_background=True), 1)
        self._checkpoint: Task[None] | None = None
        self._next_checkpoint = 0.0

    def reading(self, *, in_background: bool = False) -> AbstractAsyncContextManager[Connection]:
        # A chunk reads between its transactions, when the connection that has its caches is idle.
        pool = self._background_writer if in_background else self._readers
        return pool.acquire(self._files)

    @asynccontextmanager
    async def writing(self, *, in_background: bool) -> AsyncIterator[Connection]:
        async with self._background_turn() if in_background else self._turn() as connection:
            async with _transaction(connection, LOCK_WAIT):
                yield connection
            # A commit to a deleted file is lost, so nobody may learn of it as done.
            connection.files = self._files.require_present(connection.files, immediately=True)
        self._start_due_checkpoint()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[SqliteConnection]:
        # Wait for the turn first: all writers wait in one queue, those of requests and those of chunks.
        async with self._write_turn, self._writer.acquire(self._files) as connection:
            yield connection

    @asynccontextmanager
    async def _background_turn(self) -> AsyncIterator[SqliteConnection]:
        # Wait for the connection first: it may be reading, and who has the turn keeps all others waiting.
        async with self._background_writer.acquire(self._files) as connection, self._write_turn:
            yield connection

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[Connection]:
        connection = await self._open(WRITER_PRAGMAS)
        try:
            await connection.run_in_thread(execute, DISABLE_FOREIGN_KEYS)
            async with _transaction(connection, MIGRATION_WAIT):
                # SQLAlchemy must know of the transaction: otherwise Alembic begins and commits its own.
                await connection.begin()
                yield connection
                await _require_intact_foreign_keys(connection)
            connection.files = self._files.require_present(connection.files, immediately=True)
        finally:
            await connection.close()
        # Close the readers that were opened before: they have cached the old schema.
        await self._readers.close()

    async def require_writable(self) -> None:
        async with self._readers.acquire() as connection:
            connection.files = self._files.require_present(connection.files, immediately=True)
        self._files.require_writable()

    async def now(self) -> datetime:
        return utc_now()  # all programs that open the file run on this machine

    async def analyze(self) -> None:
        """Nothing to do: the best plan of each statement does not depend on the number of rows."""

    async def release_memory(self) -> None:
        # A connection keeps its page cache, the last values bound to each of its statements, such as long
        # lists of ids, and small objects of the driver. Only its end frees all of them.
        for pool in (self._readers, self._writer, self._background_writer, self._checkpointer):
            await pool.renew_idle()

    def unavailable_reason(self, error: Exception) -> str | None:
        if not isinstance(error, OperationalError):
            return None
        return str(error.orig) if primary_code(error.orig) in UNAVAILABLE_CODES else None

    def pools(self) -> Mapping[str, PoolUse]:
        return {"reading": self._readers.use, "writing": PoolUse(int(self._write_turn.locked()), 1)}

    async def close(self) -> None:
        if self._checkpoint is not None:
            await self._checkpoint
        for pool in (self._checkpointer, self._readers, self._background_writer, self._writer):
            await pool.close()
        await self._engine.dispose()

    async def _open(self, pragmas: Sequence[str], *, in_background: bool = False) -> SqliteConnection:
        self._require_openable()
        connection = await SqliteConnection.open(self._engine, self._statements, in_background=in_background)
        try:
            await connection.run_in_thread(_set_up, pragmas, in_background)
            connection.files = self._files.opened()
            connection.files = self._files.require_present(connection.files, immediately=True)
        except BaseException:
            await shield(connection.close())  # otherwise its thread would never end
            raise
        self._connections.add(connection)
        return connection

    def _require_openable(self) -> None:
        """Raise StoreUnavailable if a new connection would open other files than those that are open.

        SQLite would create the ones that are missing, and two logs would damage the database.
        """
        self._files.require_same_database()
        for connection in self._connections:
            if not (connection.closed or connection.invalidated):
                self._files.require_present(connection.files, immediately=True)

    def _start_due_checkpoint(self) -> None:
        now = time.monotonic()
        if now >= self._next_checkpoint and (self._checkpoint is None or self._checkpoint.done()):
            self._next_checkpoint = now + CHECKPOINT_INTERVAL
            self._checkpoint = asyncio.create_task(self._run_checkpoint())

    async def _run_checkpoint(self) -> None:
        """Move commits from the WAL into the file, without the write lock if possible."""
        try:
            async with self._checkpointer.acquire() as checkpointer:
                _, [(_, pages, _)] = await checkpointer.run_in_thread(execute, CHECKPOINT)
                if pages < WAL_RESET_PAGES:
                    return
                await checkpointer.run_in_thread(execute, CHECKPOINT)
            # SQLite resets the WAL only after a checkpoint of all of it. The second checkpoint has left
            # little, so the third, which keeps writers out, is short.
            async with self._write_turn, self._writer.acquire() as writer:
                await writer.run_in_thread(execute, CHECKPOINT)
        except DBAPIError as error:
            logger.warning("Expected to move the WAL into the file, but the database says '%s'.", error.orig)
        except StoreUnavailable as error:
            logger.warning("Expected to move the WAL into the file. %s", error.message)


@asynccontextmanager
async def _transaction(connection: SqliteConnection, lock_wait: float) -> AsyncIterator[None]:
    connection.begin_immediate(lock_wait)
    try:
        yield
        await connection.commit()
    except BaseException:
        # Without the shield, a second cancellation would interrupt the rollback, and the lock would stay.
        await shield(connection.rollback())
        raise


async def _require_intact_foreign_keys(connection: Connection) -> None:
    dangling = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).mappings().first()
    if dangling is not None:
        raise RuntimeError(
            f"Expected each foreign key to refer to a row, but there is none for {dict(dangling)}."
        )


class _Connection(sqlite3.Connection):
    """Releases its lock when it is closed.

    SQLite keeps a closed connection and its lock as long as one of its statements is alive. The traceback of
    a cancelled task may keep one alive for a while, so `close` rolls back first.
    """

    def close(self) -> None:
        with suppress(sqlite3.ProgrammingError):  # already closed
            self.rollback()
        super().close()


def _set_up(connection: sqlite3.Connection, pragmas: Sequence[str], in_background: bool) -> None:
    if in_background:
        lower_thread_priority()
    _switch_to_wal(connection)
    for pragma in pragmas:
        connection.execute(pragma)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    # If several connections switch a new file to WAL mode, SQLite refuses all but one without calling the
    # busy handler, so retry here.
    deadline = time.monotonic() + LOCK_WAIT
    while True:
        try:
            connection.execute(WAL)
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
