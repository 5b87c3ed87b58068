"""Records the SQL statements that a store sends to its database."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from uplift.storage.store import SqlStore


@dataclass(frozen=True, kw_only=True)
class SentStatement:
    """A statement as sent to the database, with the values of its first execution only."""

    sql: str
    values: Any


@contextmanager
def statements_on(connection: AsyncConnection) -> Iterator[list[SentStatement]]:
    """The statements sent by the connection, and by all others of its engine, within the block."""
    sent: list[SentStatement] = []

    def keep(_: Any, __: Any, sql: str, values: Any, ___: Any, has_many: bool) -> None:
        sent.append(SentStatement(sql=sql, values=values[0] if has_many else values))

    assert connection.sync_connection is not None
    engine = connection.sync_connection.engine
    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", keep)


async def plan_of(store: SqlStore, sent: SentStatement) -> list[str]:
    """The steps of SQLite's plan for a statement."""
    async with store.database.reading() as connection:
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sent.sql}", sent.values)
        return [row.detail for row in rows]
