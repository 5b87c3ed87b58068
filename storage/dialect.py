"""What SQL says differently from one database to another."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Table, and_, bindparam, func, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert

from storage.connection import Connection

TAKE_TURNS = select(func.pg_advisory_xact_lock(bindparam("turn", type_=BigInteger)))


def upsert(
    table: Table,
    *,
    keys: Sequence[str],
    replaced: Sequence[str],
    same: Sequence[str] = (),
) -> Insert:
    """An INSERT that gives a row with the same keys, if there is one, new values in columns `replaced`.

    A row that has other values in columns `same` is left alone. Both databases write it the same way.
    """
    statement = insert(table)
    changes = {name: statement.excluded[name] for name in replaced}
    alike: list[ColumnElement[bool]] = [table.c[name] == statement.excluded[name] for name in same]
    return statement.on_conflict_do_update(
        index_elements=list(keys), set_=changes, where=and_(*alike) if alike else None
    )


def add_up(table: Table, *, keys: Sequence[str], counts: Sequence[str]) -> Insert:
    """An INSERT that adds its counts to those of a row with the same keys, if there is one."""
    statement = insert(table)
    sums = {name: table.c[name] + statement.excluded[name] for name in counts}
    return statement.on_conflict_do_update(index_elements=list(keys), set_=sums)


def insert_new(table: Table) -> Insert:
    """An INSERT that leaves a row alone that has the same key."""
    return insert(table).on_conflict_do_nothing()


async def insert_many(connection: Connection, statement: Insert, rows: Sequence[dict[str, Any]]) -> int:
    """Insert rows that all have the same columns; returns how many were written, not left alone."""
    if connection.dialect.name == "sqlite":
        return (await connection.execute(statement, rows)).rowcount
    # PostgreSQL takes a round of messages for each row of a list, but all rows at once as a few arrays.
    arrays = {_array(name): [row[name] for row in rows] for name in rows[0]}
    return (await connection.execute(_from_arrays(statement, tuple(rows[0])), arrays)).rowcount


@lru_cache(maxsize=16)
def _from_arrays(statement: Insert, names: tuple[str, ...]) -> Insert:
    assert isinstance(statement.table, Table), "rows are inserted into tables"
    kinds = [statement.table.c[name].type for name in names]
    arrays = [bindparam(_array(name), type_=ARRAY(kind)) for name, kind in zip(names, kinds, strict=True)]
    rows = func.unnest(*arrays).table_valued(*names, name="given").render_derived()
    return statement.from_select(list(names), select(*(rows.c[name] for name in names)))


def _array(name: str) -> str:
    return f"every_{name}"


async def take_turns(connection: Connection, *about: str) -> None:
    """Wait until no other transaction is under way that is about the same.

    For what no row stands for yet. In SQLite one transaction writes at a time anyway.
    """
    if connection.dialect.name == "postgresql":
        digest = blake2b("\0".join(about).encode(), digest_size=8).digest()
        await connection.execute(TAKE_TURNS, {"turn": int.from_bytes(digest, signed=True)})
