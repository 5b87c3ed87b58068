"""Compares the kept counts of cohorts with the instances, and repairs them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Integer, bindparam, delete, insert, select, tuple_, type_coerce

from uplift.domain.model.instance import Status
from uplift.storage.database import Database
from uplift.storage.in_buckets import count_check as in_buckets
from uplift.storage.in_buckets import counts
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import batches
from uplift.storage.sql.tables import STATUS, cohort_count, cohort_part, instance, position, process
from uplift.storage.statements.instances.cohort_counts import KEY, differing_cohorts, fold_all

COMPARED = differing_cohorts(cohort_part, instance, KEY).subquery("compared")
DIFFERENCES = (
    select(COMPARED, process.c.namespace, process.c.code, position.c.elements)
    .join_from(COMPARED, process, process.c.id == COMPARED.c.process_id, isouter=True)
    .join(position, position.c.id == COMPARED.c.position_id, isouter=True)
    .order_by(*(COMPARED.c[name] for name in KEY))
)
"""One statement, so that both sides are of one moment."""
BLOCK_WRITES = "LOCK TABLE instance IN SHARE MODE"
"""For PostgreSQL. Every transaction writes instances before their counts, so none is between the two."""
DELETE_COUNTS = delete(cohort_count).where(
    tuple_(
        cohort_count.c.process_id,
        cohort_count.c.version,
        type_coerce(cohort_count.c.status, Integer),  # as it is stored: a damaged row may have any code
        cohort_count.c.position_id,
    ).in_(bindparam("cohorts", expanding=True))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountDifference:
    """A cohort whose kept count is not the number of its instances. The names are those of the database."""

    process: str
    version: int
    status: str
    position: str
    kept: int
    counted: int


async def find_count_differences(database: Database) -> tuple[CountDifference, ...]:
    """The cohorts whose kept counts are wrong. Reads all instances, and blocks no one."""
    async with database.reading() as connection:
        return tuple(map(_difference, await _rows(connection)))


async def repair_counts(database: Database) -> tuple[CountDifference, ...]:
    """Correct wrong kept counts, and return what they were. Nobody writes instances at the same time."""
    async with database.migrating() as connection:
        if connection.dialect.name == "postgresql":
            await connection.exec_driver_sql(BLOCK_WRITES)
        if connection.layout.has_buckets:
            await counts.fold_all(connection)
            rows = await _rows(connection)
            await in_buckets.repair(connection, rows)
            return tuple(map(_difference, rows))
        if connection.dialect.name == "postgresql":
            await fold_all(connection)
        rows = await _rows(connection)
        for batch in batches(rows):
            cohorts = [tuple(getattr(row, name) for name in KEY) for row in batch]
            await connection.execute(DELETE_COUNTS, {"cohorts": cohorts})
        counted = [_count(row) for row in rows if row.counted]
        if counted:
            await connection.execute(insert(cohort_count), counted)
        return tuple(map(_difference, rows))


async def _rows(connection: Connection) -> Sequence[Any]:
    if connection.layout.has_buckets:
        return await in_buckets.find_differences(connection)
    return (await connection.execute(DIFFERENCES)).all()


def _count(row: Any) -> dict[str, Any]:
    names = {name: getattr(row, name) for name in KEY}
    return {**names, "status": STATUS.members[row.status - 1], "instances": row.counted}


def _difference(row: Any) -> CountDifference:
    known = 1 <= row.status <= len(Status)
    return CountDifference(
        process=f"#{row.process_id}" if row.code is None else f"{row.namespace}/{row.code}",
        version=row.version,
        status=STATUS.members[row.status - 1] if known else f"#{row.status}",
        position=f"#{row.position_id}" if row.elements is None else " ".join(json.loads(row.elements)),
        kept=row.kept,
        counted=row.counted,
    )
