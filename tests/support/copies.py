"""Copies all rows of a small database, which takes a tenth of the time of making them by use cases."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, insert, select

from uplift.storage.database import Database
from uplift.storage.sql.tables import metadata

Copy = Mapping[Table, Sequence[Mapping[str, Any]]]
"""The rows of each table that has any."""


async def copy_of(database: Database) -> Copy:
    async with database.reading() as connection:
        rows = {
            table: [dict(row) for row in (await connection.execute(select(table))).mappings()]
            for table in metadata.sorted_tables
        }
        return {table: rows[table] for table in rows if rows[table]}


async def restore(copy: Copy, database: Database) -> None:
    """Write the rows into a database of either kind whose tables are empty."""
    async with database.writing() as connection:
        for table, rows in copy.items():
            await connection.execute(insert(table), rows)
            if connection.dialect.name == "postgresql" and "id" in table.c:  # SQLite counts on from the rows
                sequence = f"pg_get_serial_sequence('{table.name}', 'id')"
                await connection.exec_driver_sql(f"SELECT setval({sequence}, max(id)) FROM {table.name}")
