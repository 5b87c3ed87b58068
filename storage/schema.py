"""Compares the schema of a database with the newest revision, and migrates it.

The revision stands in Alembic's table. A start with the newest schema costs one small query; Alembic, which
is slow to import, is imported only for a migration.
"""

import logging

from sqlalchemy import Column, MetaData, String, Table, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from uplift.storage.sql.connection import Connection

NEWEST = "0008"
"""The revision that this program requires, the last in storage/migrations/versions."""

REVISIONS = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
REVISION = select(REVISIONS.c.version_num)
TABLES = {
    "sqlite": text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"),
    # Tables of extensions (deptype e) do not count: an empty database may have some.
    "postgresql": text(
        "SELECT relname FROM pg_class AS found WHERE relnamespace = current_schema()::regnamespace "
        "AND relkind IN ('r', 'p') AND NOT EXISTS "
        "(SELECT FROM pg_depend WHERE objid = found.oid AND deptype = 'e') ORDER BY relname"
    ),
}
MAX_SHOWN_TABLES = 3
"""How many tables an error message names at most."""

logger = logging.getLogger(__name__)


class WrongSchema(Exception):
    """The database does not have the schema that this program requires; nothing was written."""

    def __init__(self, found: str) -> None:
        self.message = f"Expected the schema of the database to be at revision {NEWEST}, but {found}"
        super().__init__(self.message)


async def is_newest(connection: Connection) -> bool:
    """Whether the schema is at the newest revision.

    Call it outside of a transaction: on PostgreSQL the missing table would abort it.
    """
    try:
        return await _revisions(connection) == [NEWEST]
    except (OperationalError, ProgrammingError):
        if REVISIONS.name in await _tables(connection):
            raise
        return False


async def find_revision(connection: Connection) -> str | None:
    """The revision of the schema, None for a database without tables.

    Raises WrongSchema if there are tables without exactly one revision, or it is unknown.
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
    """Run the revisions that the database lacks; an empty one lacks all.

    Returns the revision before. Raises WrongSchema for an unknown schema, and without `if_older` also for an
    older one.
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
