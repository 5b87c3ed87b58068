"""Executes statements on SQLite with at most one switch to the connection's thread.

Each connection has a thread of its own. A switch to it and back costs more than a small statement, and so
does SQLAlchemy's execution. A repeated statement takes one switch here, or none if it is marked RUN_INLINE or
deferred until the next one. Others use SQLAlchemy's execution, which takes several.

The private names used here, and what uplift.storage.sqlite.prepared takes from SQLAlchemy's compiler, are
checked by tests/storage/sqlite/test_private_names.py.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import chain
from typing import Any, Self

import aiosqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from uplift.storage.sql.connection import Connection
from uplift.storage.sqlite.files import OpenFiles
from uplift.storage.sqlite.prepared import PreparedStatement, Rows, StatementCache

Executed = tuple[sqlite3.Cursor, list[Any]]
Call = Callable[..., Executed]
BEGIN_IMMEDIATE = "BEGIN IMMEDIATE"
LOCK_POLL_INTERVAL = 0.000_5
"""Seconds between two attempts to take the write lock.

SQLite's busy handler retries ten times a second, but the lock is free for only 1 ms between two chunks.
"""
MANY = 1_000
"""Longer lists of values and rows are converted on the thread of the connection, not on that of the loop.

Not on a thread of low priority: while it waits for a processor, it would keep the interpreter from others.
"""
MAX_PENDING_ROWS = 10_000
"""Deferred statements with more rows are executed at once: a large request must not keep all its rows."""
INSERT_GROUP = 50
"""Rows that one statement inserts, if there are so many."""
PRIMARY_CODE_MASK = 0xFF
"""The bits of the primary code in an extended result code."""


@dataclass(slots=True)
class PendingStatement:
    """A deferred statement. It is executed, and has a result, along with the next one."""

    call: Call
    arguments: tuple[Any, ...]
    prepared: PreparedStatement | None = None
    executed: Executed | None = None

    @property
    def rowcount(self) -> int:
        """The number of rows that it changed. Read it only after a later statement."""
        return self._result().rowcount

    def scalar_one(self) -> Any:
        """The value that it found. Read it only after a later statement."""
        return self._result().scalar_one()

    def _result(self) -> Rows:
        assert self.prepared is not None, "only repeated statements have a result"
        assert self.executed is not None, "a later statement has been executed"
        return _rows(self.prepared, *self.executed)


class SqliteConnection(Connection):
    """A connection that is held open, with a thread of its own.

    Its transactions begin and end by `begin_immediate`, `commit` and `rollback`.
    """

    files: OpenFiles
    """The files that it has opened, set by who opens it."""
    _thread: aiosqlite.Connection

    def __init__(self, engine: AsyncEngine, statements: StatementCache, *, in_background: bool) -> None:
        super().__init__(engine)
        self._in_background = in_background
        self._events: Any = engine.sync_engine.dispatch
        self._statements = statements
        self._pending: list[PendingStatement] = []
        self._pending_rows = 0
        self._may_be_in_transaction = False
        self._has_few_rows = False
        # These counters need no lock: only the thread of the event loop increments the first, and only that
        # of the connection the second.
        self._calls_begun = 0
        self._calls_ended = 0

    @classmethod
    async def open(
        cls, engine: AsyncEngine, statements: StatementCache, *, in_background: bool = False
    ) -> Self:
        """Open a connection, whose thread is to get a low priority if it is one `in_background`."""
        connection = cls(engine, statements, in_background=in_background)
        await connection.start()
        raw = await connection.get_raw_connection()
        assert isinstance(raw.driver_connection, aiosqlite.Connection), "the engine is one of aiosqlite"
        connection._thread = raw.driver_connection
        return connection

    def begin_immediate(self, wait: float) -> None:
        """Begin a transaction. If another program has the lock, wait along with the first statement.

        Waits up to `wait` seconds. BEGIN IMMEDIATE takes the write lock at once. A transaction that reads
        first has to upgrade its lock later, which SQLite refuses with SQLITE_BUSY_SNAPSHOT if another
        connection has written since.
        """
        self._has_few_rows = False
        if self._in_background or not self._begin_inline():
            self._pending.append(PendingStatement(_begin_immediate, (wait,)))

    def expect_few_rows(self) -> None:
        self._has_few_rows = not self._in_background

    async def commit(self) -> None:
        await self.run_in_thread(execute, "COMMIT")
        self._may_be_in_transaction = False

    async def rollback(self) -> None:
        """Roll back. Waits for a call that still runs, for instance that of a cancelled task."""
        self._pending.clear()
        self._pending_rows = 0
        # Before the call: a second cancellation ends the wait, but the thread still rolls back. The next
        # transaction may have begun when this coroutine goes on.
        is_open, self._may_be_in_transaction = self._may_be_in_transaction, False
        if is_open and not self.invalidated:
            await self._call_in_thread([], _roll_back, ())

    async def execute(self, statement: Any, parameters: Any = None, *, execution_options: Any = None) -> Any:
        """Execute a statement; a list of parameters executes it for each."""
        prepared = self._prepared(statement, parameters)
        if prepared is None or execution_options is not None:
            await self._flush()
            return await super().execute(statement, parameters, execution_options=execution_options)
        call, arguments = self._call_of(prepared, parameters)
        if self._runs_inline(prepared):
            cursor, rows = self._run_inline(call, arguments)
        else:
            cursor, rows = await self.run_in_thread(call, *arguments)
            if len(rows) > MANY and not self._in_background:
                converted = await self.run_in_thread(_read, prepared, rows)
                return Rows(converted, cursor.rowcount, cursor.lastrowid)
        return _rows(prepared, cursor, rows)

    async def execute_later(self, statement: Any, parameters: Any) -> Any:
        prepared = self._prepared(statement, parameters)
        if prepared is None:
            return await self.execute(statement, parameters)
        pending = PendingStatement(*self._call_of(prepared, parameters), prepared)
        if self._runs_inline(prepared):
            pending.executed = self._run_inline(pending.call, pending.arguments)
        else:
            await self._defer(pending, len(parameters) if isinstance(parameters, list) else 1)
        return pending

    async def insert_later(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows of numbers, now or along with the next statement.

        The SQL has `{rows}` in place of them. Nothing is converted, of which a small change consists mostly.
        """
        if self._in_background and len(rows) > 1:
            one_value = sql.format(rows=_rows_of_one_value(len(rows[0])))
            await self._defer(PendingStatement(execute, (one_value, (json.dumps(rows),))), len(rows))
        elif self._has_few_rows and self._is_idle:
            self._run_inline(_insert, (sql, rows))
        else:
            await self._defer(PendingStatement(_insert, (sql, rows)), len(rows))

    async def _defer(self, pending: PendingStatement, rows: int) -> None:
        self._pending.append(pending)
        self._pending_rows += rows
        if self._pending_rows > MAX_PENDING_ROWS:
            await self._flush()

    async def exec_driver_sql(
        self, statement: str, parameters: Any = None, execution_options: Any = None
    ) -> Any:
        await self._flush()
        return await super().exec_driver_sql(statement, parameters, execution_options)

    async def run_sync(self, fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        await self._flush()
        return await super().run_sync(fn, *arguments, **named)

    async def run_in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function on the thread of this connection, after the pending statements."""
        before, self._pending, self._pending_rows = self._pending, [], 0
        # Set before the call: when the caller is cancelled, the thread still begins the transaction.
        self._may_be_in_transaction = True
        return await self._call_in_thread(before, call, arguments)

    async def _call_in_thread(
        self, before: list[PendingStatement], call: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> Any:
        # aiosqlite's public methods switch to the thread once for each statement, fetch and close; its
        # private _execute runs any function there, so that all of it takes one switch.
        thread: Any = self._thread
        self._calls_begun += 1
        try:
            return await thread._execute(self._run_calls, before, call, arguments)  # noqa: SLF001
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def _run_inline(self, call: Call, arguments: tuple[Any, ...]) -> Executed:
        try:
            return call(self._raw, *arguments)
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def _run_calls(
        self, before: list[PendingStatement], call: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> Any:
        try:
            for statement in before:
                statement.executed = statement.call(self._raw, *statement.arguments)
            return call(self._raw, *arguments)
        finally:
            self._calls_ended += 1

    @property
    def _raw(self) -> sqlite3.Connection:
        # aiosqlite has no public name for the driver's connection. It must only be used on the connection's
        # thread, or while that is idle.
        raw: sqlite3.Connection = self._thread._conn  # noqa: SLF001
        return raw

    @property
    def _is_idle(self) -> bool:
        # Two threads must not use the connection at the same time, and a call of a cancelled task may still
        # run on the thread of the connection.
        return not self._pending and self._calls_begun == self._calls_ended

    def _runs_inline(self, prepared: PreparedStatement) -> bool:
        """Whether to execute a statement on the thread of the event loop."""
        is_short = self._has_few_rows if prepared.run_inline is None else prepared.run_inline
        return is_short and self._is_idle

    def _begin_inline(self) -> bool:
        """Begin a transaction if the write lock is free now. Writers have no busy handler that waits."""
        if not self._is_idle:
            return False
        try:
            execute(self._raw, BEGIN_IMMEDIATE)
        except sqlite3.Error as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY:
                raise self._translated(error) from error
            return False
        self._may_be_in_transaction = True
        return True

    def _translated(self, error: sqlite3.Error) -> BaseException:
        """The error as SQLAlchemy raises it."""
        return DBAPIError.instance(None, None, error, sqlite3.Error, dialect=self.dialect)

    async def _flush(self) -> None:
        if self._pending:
            await self.run_in_thread(_no_op)

    def _prepared(self, statement: Any, parameters: Any) -> PreparedStatement | None:
        if self._events.before_cursor_execute:
            return None  # only SQLAlchemy's execution calls the listeners
        first = parameters[0] if isinstance(parameters, list) else parameters
        return self._statements.prepared(statement, tuple(first or ()))

    def _call_of(self, prepared: PreparedStatement, parameters: Any) -> tuple[Call, tuple[Any, ...]]:
        if isinstance(parameters, list):
            return execute_many, (prepared.sql, prepared.bind_all(parameters))
        bound = parameters or {}
        is_short = self._in_background or self._has_few_rows or prepared.run_inline
        if not is_short and any(type(v) is list and len(v) > MANY for v in bound.values()):
            return _execute_bound, (prepared, bound)
        return execute, (prepared.sql, prepared.bind(bound))


def _rows(prepared: PreparedStatement, cursor: sqlite3.Cursor, rows: list[Any]) -> Rows:
    return Rows(prepared.read(rows), cursor.rowcount, cursor.lastrowid)


def execute(connection: sqlite3.Connection, operation: str, parameters: Any = ()) -> Executed:
    """Execute a statement; returns its closed cursor, which still has its counts, and all rows."""
    cursor = connection.execute(operation, parameters)
    rows = cursor.fetchall()
    cursor.close()
    return cursor, rows


def execute_many(connection: sqlite3.Connection, operation: str, rows: Any) -> Executed:
    """Execute a statement once for each of these rows of parameters."""
    cursor = connection.executemany(operation, rows)
    cursor.close()
    return cursor, []


def _insert(connection: sqlite3.Connection, sql: str, rows: Sequence[tuple[Any, ...]]) -> Executed:
    # A statement for each row would take half as long again.
    in_groups = len(rows) - len(rows) % INSERT_GROUP
    groups = [
        tuple(chain.from_iterable(rows[start : start + INSERT_GROUP]))
        for start in range(0, in_groups, INSERT_GROUP)
    ]
    if groups:
        execute_many(connection, _sql_of_rows(sql, INSERT_GROUP, len(rows[0])), groups)
    return execute_many(connection, _sql_of_rows(sql, 1, len(rows[0])), rows[in_groups:])


@lru_cache(maxsize=16)
def _sql_of_rows(sql: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return sql.format(rows=f"VALUES {', '.join([row] * rows)}")


@cache
def _rows_of_one_value(columns: int) -> str:
    """Selects the rows of numbers in one parameter.

    A thread takes the interpreter for each execution of a statement, and lets others have it while SQLite
    works. If one of low priority then waits for a processor, all others wait for the interpreter.
    """
    values = ", ".join(f"value ->> {column}" for column in range(columns))
    return f"SELECT {values} FROM json_each(?) WHERE true"  # noqa: S608  # numbers of columns


def primary_code(error: BaseException | None) -> int:
    """The primary result code of an error of SQLite."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & PRIMARY_CODE_MASK


def _begin_immediate(connection: sqlite3.Connection, wait: float) -> Executed:
    deadline = time.monotonic() + wait
    while True:
        try:
            return execute(connection, BEGIN_IMMEDIATE)
        except sqlite3.OperationalError as error:
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(LOCK_POLL_INTERVAL)


def _read(_: sqlite3.Connection, prepared: PreparedStatement, rows: list[Any]) -> list[Any]:
    # In place: both forms of a long list together would take twice the memory.
    for start in range(0, len(rows), MANY):
        rows[start : start + MANY] = prepared.read(rows[start : start + MANY])
    return rows


def _execute_bound(
    connection: sqlite3.Connection, prepared: PreparedStatement, parameters: Mapping[str, Any]
) -> Executed:
    return execute(connection, prepared.sql, prepared.bind(parameters))


def _roll_back(connection: sqlite3.Connection) -> None:
    connection.rollback()


def _no_op(_: sqlite3.Connection) -> None:
    """A call to execute the pending statements without another one."""
