"""How does a statement get to SQLite, and its rows back, in one step?

Each connection has a thread of its own, and a step to it and back costs more than a small statement does.
SQLAlchemy's adapter takes four: it opens a cursor, executes, fetches and closes one after the other.
"""

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any

from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection, AsyncAdapt_aiosqlite_cursor


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
        self._cursor, rows = await self._adapt_connection.run(_execute, operation, parameters or ())
        self._rows = deque(rows)

    async def _executemany_async(self, operation: str, seq_of_parameters: Any) -> None:
        self._cursor = await self._adapt_connection.run(_execute_many, operation, seq_of_parameters)

    def close(self) -> None:
        self._rows.clear()


class OneStepConnection(AsyncAdapt_aiosqlite_connection):
    """A connection that is asked to roll back only when there may be something to roll back."""

    __slots__ = ("_is_settled",)

    _cursor_cls = OneStepCursor

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self._is_settled = True

    async def run(self, work: Callable[..., Any], *given: Any) -> Any:
        """Do some work on the thread of this connection, with the connection itself as its first argument."""
        connection: Any = self._connection
        # Stays false when the caller is cancelled: the thread goes on, and may yet begin a transaction.
        self._is_settled = False
        result = await connection._execute(work, connection._conn, *given)
        self._is_settled = True
        return result

    def rollback(self) -> None:
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


def _execute(
    connection: sqlite3.Connection, operation: str, parameters: Any
) -> tuple[sqlite3.Cursor, list[Any]]:
    cursor = connection.execute(operation, parameters)
    rows = cursor.fetchall()
    cursor.close()
    return cursor, rows


def _execute_many(connection: sqlite3.Connection, operation: str, rows: Any) -> sqlite3.Cursor:
    cursor = connection.executemany(operation, rows)
    cursor.close()
    return cursor
