"""Compares the schema of a database with the newest revision, and migrates it.

The database keeps the number of its revision where Alembic does. As long as that is the newest, one small
query is all that a start costs: Alembic itself is imported only when there is something to do.
"""

import logging

from sqlalchemy import Column, MetaData, String, Table, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from uplift.storage.sql.connection import Connection

NEWEST = "0003"
"""The revision that this program works with, the last in storage/migrations/versions."""

REVISIONS = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
REVISION = select(REVISIONS.c.version_num)
TABLES = {
    "sqlite": text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"),
    # What an extension brought along is no program's table.
    "postgresql": text(
        "SELECT relname FROM pg_class AS found WHERE relnamespace = current_schema()::regnamespace "
        "AND relkind IN ('r', 'p') AND NOT EXISTS "
        "(SELECT FROM pg_depend WHERE objid = found.oid AND deptype = 'e') ORDER BY relname"
    ),
}
MAX_SHOWN_TABLES = 3
"""Tables that an error names."""

logger = logging.getLogger(__name__)


class WrongSchema(Exception):
    """The database has another schema than this program works with; nothing was written."""

    def __init__(self, found: str) -> None:
        self.message = f"Expected the schema of the database to be at revision {NEWEST}, but {found}"
        super().__init__(self.message)


async def is_newest(connection: Connection) -> bool:
    """Whether the schema is the one that this program works with. Ask it outside of transactions."""
    try:
        return await _revisions(connection) == [NEWEST]
    except (OperationalError, ProgrammingError):
        if REVISIONS.name in await _tables(connection):
            raise
        return False


async def find_revision(connection: Connection) -> str | None:
    """The revision of the schema, None for a database without tables.

    Raises WrongSchema when there are tables without a single one, or with one that is not known.
    """
    tables = await _tables(connection)
    if not tables:
        return None
    revisions = await _revisions(connection) if REVISIONS.name in tables else []
    if len(revisions) != 1:
        raise WrongSchema(_no_single_revision(tables))
    (found,) = revisions
    if found != NEWEST and found not in _known():
        raise WrongSchema(
            f"it is at {found}, which this version of Uplift does not know: a newer one made it. "
            "Run that one, or restore a backup."
        )
    return found


async def bring_up_to_date(connection: Connection, *, if_older: bool = True) -> str | None:
    """Give an empty database its tables, and run the revisions that one with an older schema lacks.

    Returns the revision before. Raises WrongSchema for any other, and unless `if_older` for an older one.
    """
    found = await find_revision(connection)
    if found not in (None, NEWEST) and not if_older:
        raise WrongSchema(
            f"it is at {found}, an older one. Stop all gateways and workers, make a backup, "
            "and run 'uplift db upgrade'."
        )
    if found != NEWEST:
        from uplift.storage.migrations.running import migrate

        if found is not None:
            logger.info("Bringing the schema from revision %s to %s.", found, NEWEST)
        await connection.run_sync(migrate)
    return found


def _known() -> set[str]:
    from uplift.storage.migrations.running import known_revisions

    return known_revisions()


def _no_single_revision(tables: list[str]) -> str:
    shown = ", ".join(tables[:MAX_SHOWN_TABLES]) + (", …" if len(tables) > MAX_SHOWN_TABLES else "")
    return (
        f"there are tables without a single revision ({shown}), which are not Uplift's. "
        "Give Uplift a database of its own."
    )


async def _revisions(connection: Connection) -> list[str]:
    return [number for (number,) in await connection.execute(REVISION)]


async def _tables(connection: Connection) -> list[str]:
    return [name for (name,) in await connection.execute(TABLES[connection.dialect.name])]
