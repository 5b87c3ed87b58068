"""The revisions lead to exactly the tables that the store works with."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.engine import URL

from tests.support.postgres import the_server
from uplift.storage.database import Database
from uplift.storage.migrations.running import VERSIONS, revisions
from uplift.storage.schema import NEWEST, REVISIONS
from uplift.storage.sql.tables import cohort_part, metadata

pytestmark = pytest.mark.anyio

TABLES_OF = {
    "sqlite": "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'",
    "postgresql": "SELECT relname, reloptions::text FROM pg_class "
    "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
}
"""The tables of a database, each with what Alembic cannot see: WITHOUT ROWID, the fill factor."""
FACTS = {
    "sqlite": (
        """SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info('{table}')""",
        """SELECT "from", "table", "to" FROM pragma_foreign_key_list('{table}')""",
        """SELECT seq.name, "unique", origin, partial, seqno, cid FROM pragma_index_list('{table}') AS seq,
        pragma_index_info(seq.name)""",
        "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = '{table}'",
    ),
    "postgresql": (
        """SELECT attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)
        FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = 'public.{table}'::regclass AND attnum > 0 AND NOT attisdropped""",
        """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = 'public.{table}'::regclass""",
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'public.{table}'::regclass",
    ),
}
"""The columns, constraints and indexes of a table, compared without order: a later column stands last."""


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, file: Path) -> AsyncIterator[Path | URL]:
    """The place of an empty database, which may not exist yet."""
    if request.param == "sqlite":
        yield file
        return
    async with the_server().empty_database() as url:
        yield url


async def schema_of(database: Database) -> dict[str, Any]:
    """The definition of each of our tables, as the database describes it."""
    async with database.reading() as connection:
        kind = connection.dialect.name
        options = dict([*await connection.exec_driver_sql(TABLES_OF[kind])])
        tables = {
            table: [
                sorted(map(repr, await connection.exec_driver_sql(facts.format(table=table))))
                for facts in FACTS[kind]
            ]
            for table in options
        }
    return {table: (options[table], tables[table]) for table in metadata.tables}


def _differences(connection: Connection) -> Any:
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)


def test_the_newest_revision_is_the_last() -> None:
    assert revisions(VERSIONS).get_heads() == [NEWEST]


async def test_the_revisions_lead_to_the_tables(place: Path | URL) -> None:
    database = await Database.open(place)
    async with database.reading() as connection:
        assert await connection.run_sync(_differences) == []
    await database.close()


async def test_the_revisions_lead_to_what_alembic_cannot_see(place: Path | URL) -> None:
    made = await Database.open(place)
    by_revisions = await schema_of(made)
    async with made.migrating() as connection:
        await connection.exec_driver_sql(f"DROP VIEW {cohort_part.name}")
        for table in reversed(metadata.sorted_tables):
            await connection.exec_driver_sql(f"DROP TABLE {table.name}")
        await connection.run_sync(metadata.create_all)
    assert await schema_of(made) == by_revisions
    await made.close()


async def test_there_are_no_tables_but_those(place: Path | URL) -> None:
    database = await Database.open(place)
    async with database.reading() as connection:
        found = await connection.exec_driver_sql(TABLES_OF[connection.dialect.name])
        names = {row[0] for row in found if not row[0].startswith("sqlite_")}
    assert names == {*metadata.tables, REVISIONS.name}
    await database.close()
