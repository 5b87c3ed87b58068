"""Copies all rows of a small database, which takes a tenth of the time of making them by use cases."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Table, insert, select, text

from uplift.storage.database import Database
from uplift.storage.sql.tables import metadata

LAST_KEYS = text("SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL")
SET_LAST_KEY = text("SELECT setval(CAST(:sequence AS regclass), :last)")


class Copy(NamedTuple):
    """What the tables of a database contained."""

    rows: Mapping[Table, Sequence[Mapping[str, Any]]]
    last_keys: Sequence[Mapping[str, Any]]
    """Of PostgreSQL, the last key that each sequence gave; SQLite takes it from the rows."""


async def copy_of(database: Database) -> Copy:
    async with database.reading() as connection:
        rows = {
            table: [dict(row) for row in (await connection.execute(select(table))).mappings()]
            for table in metadata.sorted_tables
        }
        keys = await connection.execute(LAST_KEYS) if connection.dialect.name == "postgresql" else ()
        return Copy(
            rows={table: rows[table] for table in rows if rows[table]},
            last_keys=[{"sequence": sequence, "last": last} for sequence, last in keys],
        )


async def restore(copy: Copy, database: Database) -> None:
    """Write the rows into a database whose tables are empty."""
    async with database.writing() as connection:
        for table, rows in copy.rows.items():
            await connection.execute(insert(table), rows)
        if copy.last_keys:
            await connection.execute(SET_LAST_KEY, copy.last_keys)
