"""How does a statement get to SQLite, and its rows back, in one step or less?

Each connection has a thread of its own, and a step to it and back costs more than a small statement does;
so does SQLAlchemy's way there. A statement that is met again takes one step here, and goes along with the
next if its answer is not needed at once; a brief one takes none. All others go SQLAlchemy's way.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiosqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from uplift.storage.sql.connection import Connection
from uplift.storage.sqlite.prepared import Prepared, Rows, StatementCache

Answer = tuple[sqlite3.Cursor, list[Any]]
Work = Callable[..., Answer]
LOOK_EVERY = 0.001
"""Seconds between two looks for the write lock. SQLite itself looks but ten times a second, and between two
chunks of an upgrade it is free for some 3 ms."""
PRIMARY = 0xFF
"""The bits of a result code that tell its kind; those above tell more."""


@dataclass(slots=True)
class PendingStatement:
    """A statement that goes along with the next one; what it came to is known when that is answered."""

    call: Work
    given: tuple[Any, ...]
    cursor: sqlite3.Cursor | None = None

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        assert self.cursor is not None, "a later statement was answered"
        return self.cursor.rowcount


class SqliteConnection(Connection):
    """A connection that is held open, with a thread of its own.

    Its transactions begin and end by `take_the_write_lock`, `commit` and `rollback`.
    """

    _thread: aiosqlite.Connection

    def __init__(self, engine: AsyncEngine, statements: StatementCache) -> None:
        super().__init__(engine)
        self._statements = statements
        self._sent: list[PendingStatement] = []
        self._may_be_open = False
        # Each is counted by one thread only: the event loop's, and the connection's own.
        self._begun = 0
        self._ended = 0

    @classmethod
    async def open(cls, engine: AsyncEngine, statements: StatementCache) -> Self:
        connection = cls(engine, statements)
        await connection.start()
        raw = await connection.get_raw_connection()
        assert isinstance(raw.driver_connection, aiosqlite.Connection), "the engine is one of aiosqlite"
        connection._thread = raw.driver_connection
        return connection

    def take_the_write_lock(self, wait: float) -> None:
        """Begin a transaction, along with its first statement; wait so many seconds for others who write.

        One that begins by reading would have to upgrade its lock later, and can fail then for ever.
        """
        self._sent.append(PendingStatement(_take_the_write_lock, (wait,)))

    async def commit(self) -> None:
        await self.run_in_thread(execute, "COMMIT")
        self._may_be_open = False

    async def rollback(self) -> None:
        """Take back what has not been committed; a statement still under way is waited for first."""
        self._sent.clear()
        if self._may_be_open and not self.invalidated:
            await self._thread.rollback()
        self._may_be_open = False

    async def execute(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """Execute a statement; a list of parameters executes it for each."""
        prepared = self._prepared(statement, parameters)
        if prepared is None or execution_options is not None:
            await self._send_off()
            return await super().execute(statement, parameters, execution_options=execution_options)
        # Whoever had the connection before may have been cancelled, and left work that has not ended.
        if prepared.run_inline and not self._sent and self._begun == self._ended:
            with self._errors_as_sqlalchemy_has_them():
                cursor, rows = execute(self._raw, prepared.sql, prepared.bind(parameters or {}))
        else:
            call, given = _work(prepared, parameters)
            cursor, rows = await self.run_in_thread(call, *given)
        return Rows(prepared.read(rows), cursor.rowcount, cursor.lastrowid)

    async def execute_later(self, statement: Any, parameters: Any) -> Any:
        prepared = self._prepared(statement, parameters)
        if prepared is None:
            return await self.execute(statement, parameters)
        sent = PendingStatement(*_work(prepared, parameters))
        self._sent.append(sent)
        return sent

    async def exec_driver_sql(
        self, statement: str, parameters: Any = None, execution_options: Any = None
    ) -> Any:
        await self._send_off()
        return await super().exec_driver_sql(statement, parameters, execution_options)

    async def run_sync(self, fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        await self._send_off()
        return await super().run_sync(fn, *arguments, **named)

    async def run_in_thread(self, call: Callable[..., Any], *given: Any) -> Any:
        """Do some work on the thread of this connection, after what was sent before."""
        before, self._sent = self._sent, []
        # True from now on, whatever happens: when the caller is cancelled the thread goes on.
        self._may_be_open = True
        thread: Any = self._thread  # what is public there takes a step for each statement
        self._begun += 1
        with self._errors_as_sqlalchemy_has_them():
            return await thread._execute(self._one_by_one, before, call, given)  # noqa: SLF001  see above

    def _one_by_one(
        self, before: list[PendingStatement], call: Callable[..., Any], given: tuple[Any, ...]
    ) -> Any:
        try:
            for sent in before:
                sent.cursor, _ = sent.call(self._raw, *sent.given)
            return call(self._raw, *given)
        finally:
            self._ended += 1

    @property
    def _raw(self) -> sqlite3.Connection:
        raw: sqlite3.Connection = self._thread._conn  # noqa: SLF001  aiosqlite has no public name for it
        return raw

    @contextmanager
    def _errors_as_sqlalchemy_has_them(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DBAPIError.instance(None, None, error, sqlite3.Error, dialect=self.dialect) from error

    async def _send_off(self) -> None:
        if self._sent:
            await self.run_in_thread(_nothing)

    def _prepared(self, statement: Any, parameters: Any) -> Prepared | None:
        if self.sync_engine.dispatch.before_cursor_execute:
            return None  # whoever listens to statements hears all of them
        one = parameters[0] if isinstance(parameters, list) else parameters
        return self._statements.prepared(statement, tuple(one or ()))


def execute(connection: sqlite3.Connection, operation: str, parameters: Any = ()) -> Answer:
    """The closed cursor of a statement, which still tells its counts, and the rows."""
    cursor = connection.execute(operation, parameters)
    rows = cursor.fetchall()
    cursor.close()
    return cursor, rows


def execute_many(connection: sqlite3.Connection, operation: str, rows: Any) -> Answer:
    """As `execute`, once for each of the rows of parameters."""
    cursor = connection.executemany(operation, rows)
    cursor.close()
    return cursor, []


def primary_code(error: BaseException | None) -> int:
    """What kind of failure SQLite told."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & PRIMARY


def _take_the_write_lock(connection: sqlite3.Connection, wait: float) -> Answer:
    deadline = time.monotonic() + wait
    while True:
        try:
            return execute(connection, "BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(LOOK_EVERY)


def _work(prepared: Prepared, parameters: Any) -> tuple[Work, tuple[str, Any]]:
    if isinstance(parameters, list):
        return execute_many, (prepared.sql, prepared.bind_all(parameters))
    return execute, (prepared.sql, prepared.bind(parameters or {}))


def _nothing(_: sqlite3.Connection) -> None:
    """For what was sent before."""
