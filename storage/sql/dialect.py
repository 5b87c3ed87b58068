"""Builds and executes statements that differ between SQLite and PostgreSQL."""

from collections.abc import AsyncIterable, Collection, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Table,
    TableClause,
    TableValuedAlias,
    bindparam,
    case,
    func,
    select,
    update,
)
from sqlalchemy import (
    Insert as StandardInsert,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert

from uplift.storage.sql.connection import Connection
from uplift.storage.sql.sqlstate import DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE, UNIQUE_VIOLATION, sqlstate

PLAN_ONCE = "SET LOCAL plan_cache_mode = auto"
"""Allows generic plans: else COPY plans the check of each foreign key once a row."""
LOCK_WAIT = "5s"
"""How long a statement of PostgreSQL waits for a lock, as a setting of the server."""
COPY_LOCK_WAIT = "100ms"
"""How long a COPY waits for another transaction that inserts the same key.

Its rows are in no order of their keys, so the two may wait for each other. The server detects such a deadlock
after a second; this timeout ends it before.
"""
NOT_COPIED = (UNIQUE_VIOLATION, LOCK_NOT_AVAILABLE, DEADLOCK_DETECTED)
"""Errors after which rows are inserted otherwise."""
RESERVED_KEYS = select(func.nextval(func.pg_get_serial_sequence(bindparam("table"), "id"))).select_from(
    func.generate_series(1, bindparam("count", type_=Integer))
)
ADVISORY_LOCK = select(func.pg_advisory_xact_lock(bindparam("number", type_=BigInteger)))


def upsert(table: Table, *, keys: Sequence[str], replaced: Sequence[str]) -> Insert:
    """An INSERT that updates columns `replaced` of an existing row with the same keys.

    The SQL is the same in both databases.
    """
    statement = insert(table)
    changes = {name: statement.excluded[name] for name in replaced}
    return statement.on_conflict_do_update(index_elements=list(keys), set_=changes)


def upsert_adding(
    table: TableClause, *, keys: Sequence[str], counts: Sequence[str], latest: Sequence[str] = ()
) -> Insert:
    """An INSERT that adds columns `counts` to those of an existing row with the same keys.

    Columns `latest` keep the larger of both values.
    """
    statement = insert(table)
    changes: dict[str, ColumnElement[Any]] = {
        name: table.c[name] + statement.excluded[name] for name in counts
    }
    for name in latest:
        excluded = statement.excluded[name]
        # Not greatest(): SQLite calls it max().
        changes[name] = case((excluded > table.c[name], excluded), else_=table.c[name])
    return statement.on_conflict_do_update(index_elements=list(keys), set_=changes)


def insert_new(table: Table) -> Insert:
    """An INSERT that leaves an existing row with the same key unchanged."""
    return insert(table).on_conflict_do_nothing()


async def insert_many(connection: Connection, statement: Insert, rows: Sequence[dict[str, Any]]) -> int:
    """Insert rows that all have the same columns; returns how many were inserted or updated.

    On PostgreSQL pass rows with new keys in the order of their keys: an INSERT waits for another transaction
    that inserts the same key, so two orders could deadlock.
    """
    if connection.dialect.name == "sqlite":
        return (await connection.execute(statement, rows)).rowcount
    return (await connection.execute(_from_arrays(statement, tuple(rows[0])), arrays(rows))).rowcount


async def reserve_keys(connection: Connection, table: Table, count: int) -> Sequence[int]:
    """New surrogate keys of a table in ascending order. PostgreSQL only."""
    bound = {"table": table.name, "count": count}
    return list((await connection.execute(RESERVED_KEYS, bound)).scalars())


async def insert_absent(
    connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, key: str
) -> Collection[Any]:
    """Insert rows that all have the same columns, except those that exist; `key` is a unique column.

    Returns the values of `key` in the inserted rows. Call it only for rows that the same transaction has
    looked for and not found: on SQLite no other one can have inserted them since, so all are inserted.
    """
    if connection.dialect.name == "sqlite":
        await connection.execute_later(_insert_into(table), rows)
        return [row[key] for row in rows]
    statement = _insert_returning(table, key, tuple(rows[0]))
    return frozenset((await connection.execute(statement, arrays(rows))).scalars())


async def copy_new(
    connection: Connection, table: Table, pieces: AsyncIterable[Sequence[dict[str, Any]]]
) -> bool:
    """Insert rows by COPY, in their order. Returns False, with nothing written, if that is not possible.

    It is not on SQLite, nor if a row with the same key exists, because COPY has no ON CONFLICT, nor if
    another transaction inserts one at the same time.
    """
    if connection.dialect.name != "postgresql":
        return False
    # A savepoint, because an error would otherwise abort the whole transaction. SQLAlchemy has no COPY, so it
    # is called on the driver's connection.
    try:
        async with connection.begin_nested():
            raw: Any = (await connection.get_raw_connection()).driver_connection
            await raw.execute(f"{PLAN_ONCE}; SET LOCAL lock_timeout = '{COPY_LOCK_WAIT}'")
            async for rows in pieces:
                columns = [_driver_values(connection, table, name, rows) for name in rows[0]]
                await raw.copy_records_to_table(
                    table.name, columns=list(rows[0]), records=zip(*columns, strict=True)
                )
            # Not DEFAULT: behind a pooler, the session has not the timeout of this transaction.
            await raw.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
    except Exception as error:
        if sqlstate(error) not in NOT_COPIED:
            raise
        return False
    return True


class UpdateMany:
    """An UPDATE that finds each row by one column and sets its own values.

    Its parameters are named `row_` plus the name of the column.
    """

    def __init__(self, table: Table, *, key: str, changed: Sequence[str]) -> None:
        self._one_row = (
            update(table)
            .where(table.c[key] == bindparam(f"row_{key}"))
            .values({name: bindparam(f"row_{name}") for name in changed})
        )
        rows = unnest_rows(table, {name: f"row_{name}" for name in (key, *changed)})
        self._all_rows = (
            update(table).where(table.c[key] == rows.c[key]).values({name: rows.c[name] for name in changed})
        )

    def along_with(self, statement: StandardInsert) -> StandardInsert:
        """A statement of PostgreSQL that inserts as well; its parameters are those of both."""
        return statement.add_cte(self._all_rows.cte("updated"))

    async def execute(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Update rows, on SQLite along with the next statement. Each row may occur only once."""
        if connection.dialect.name == "sqlite":
            await connection.execute_later(self._one_row, rows)
        else:
            await connection.execute(self._all_rows, arrays(rows))


def arrays(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """The rows as one array for each column: executemany would send messages for each row."""
    return {name: [row[name] for row in rows] for name in rows[0]}


@lru_cache(maxsize=16)
def _from_arrays(statement: Insert, names: tuple[str, ...]) -> Insert:
    assert isinstance(statement.table, Table), "rows are inserted into tables"
    rows = unnest_rows(statement.table, {name: name for name in names})
    return statement.from_select(list(names), select(*(rows.c[name] for name in names)))


@lru_cache(maxsize=16)
def _insert_into(table: Table) -> Insert:
    return insert(table)


@lru_cache(maxsize=16)
def _insert_returning(table: Table, key: str, names: tuple[str, ...]) -> Any:
    return _from_arrays(insert_new(table), names).returning(table.c[key])


def unnest_rows(table: TableClause, parameters: Mapping[str, str]) -> TableValuedAlias:
    """A table of bound arrays, unnested side by side; `parameters` maps each column to its parameter."""
    arrays = [bindparam(parameter, type_=ARRAY(table.c[name].type)) for name, parameter in parameters.items()]
    return func.unnest(*arrays).table_valued(*parameters, name="bound").render_derived()


def _driver_values(
    connection: Connection, table: Table, name: str, rows: Sequence[dict[str, Any]]
) -> list[Any]:
    process = table.c[name].type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
    values = [row[name] for row in rows]
    return values if process is None else [process(value) for value in values]


async def lock_subject(connection: Connection, *subject: str) -> None:
    """Lock a subject until the end of the transaction, by an advisory lock on its digest.

    It serializes transactions on something that has no row to lock yet. SQLite needs no such lock, because
    only one transaction writes at a time.
    """
    if connection.dialect.name == "postgresql":
        digest = blake2b("\0".join(subject).encode(), digest_size=8).digest()
        await connection.execute(ADVISORY_LOCK, {"number": int.from_bytes(digest, signed=True)})
