"""How does a statement get to SQLite, and its rows back, in one step or less?

Each connection has a thread of its own, and a step to it and back costs more than a small statement does.
SQLAlchemy's adapter takes four: it opens a cursor, executes, fetches and closes one after the other. Here it
is one; and a statement whose answer is not needed at once goes along with the next.
"""

import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection, AsyncAdapt_aiosqlite_cursor

Answer = tuple[sqlite3.Cursor, list[Any]]
Work = Callable[..., Answer]


class OneStepCursor(AsyncAdapt_aiosqlite_cursor):
    """A cursor whose statement is over, rows and all, when `execute` returns."""

    __slots__ = ()

    _adapt_connection: "OneStepConnection"
    _awaitable_cursor_close = False

    def _make_new_cursor(self, _: Any) -> Any:
        return _BEFORE_EXECUTION

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor

    async def _execute_async(self, operation: str, parameters: Any) -> None:
        await self._run(execute, operation, parameters or ())

    async def _executemany_async(self, operation: str, seq_of_parameters: Any) -> None:
        await self._run(execute_many, operation, seq_of_parameters)

    async def _run(self, work: Work, operation: str, parameters: Any) -> None:
        cursor, rows = await self._adapt_connection.run(work, operation, parameters)
        self._cursor = cast(Any, cursor)  # closed, it has all that is asked of the one that it stands in for
        self._rows = deque(rows)

    def close(self) -> None:
        self._rows.clear()


@dataclass(slots=True)
class Sent:
    """A statement that goes along with the next one; what it came to is known when that is answered."""

    work: Work
    given: tuple[Any, ...]
    cursor: sqlite3.Cursor | None = None

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
        assert self.cursor is not None, "a later statement was answered"
        return self.cursor.rowcount


class OneStepConnection(AsyncAdapt_aiosqlite_connection):
    """A connection that is asked to roll back only when there may be something to roll back."""

    __slots__ = ("_is_settled", "_sent")

    _cursor_cls = OneStepCursor

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self._is_settled = True
        self._sent: list[Sent] = []

    def send(self, work: Work, *given: Any) -> Sent:
        """Do some work just before the next one that is run; an error of it is raised there."""
        sent = Sent(work, given)
        self._sent.append(sent)
        return sent

    async def run(self, work: Work, *given: Any) -> Answer:
        """Do some work on the thread of this connection, with the connection itself as its first argument."""
        connection: Any = self._connection
        # Stays false when the caller is cancelled: the thread goes on, and may yet begin a transaction.
        self._is_settled = False
        before, self._sent = self._sent, []
        answer: Answer = await connection._execute(_one_by_one, connection._conn, before, work, given)
        self._is_settled = True
        return answer

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        self._sent.clear()
        if not self._is_settled or self._connection.in_transaction:
            super().rollback()
            self._is_settled = True


class _BeforeExecution:
    """What a cursor says of a statement that was not executed."""

    description = None
    rowcount = -1
    lastrowid = None
    arraysize = 1


_BEFORE_EXECUTION = _BeforeExecution()


def connect(dialect: Any, _: Any, arguments: Any, options: Any) -> OneStepConnection:
    """Open a connection; to be told of an engine's event `do_connect`."""
    connection = dialect.loaded_dbapi.connect(*arguments, **options)
    return OneStepConnection(connection.dbapi, connection.driver_connection)


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


def _one_by_one(
    connection: sqlite3.Connection, before: list[Sent], work: Work, given: tuple[Any, ...]
) -> Answer:
    for sent in before:
        sent.cursor, _ = sent.work(connection, *sent.given)
    return work(connection, *given)
