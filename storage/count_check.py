"""Compares the kept counts of cohorts with the instances, and repairs them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select

from uplift.domain.model.instance import Status
from uplift.storage.database import Database
from uplift.storage.in_buckets import count_check as in_buckets
from uplift.storage.in_buckets import counts
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import batches
from uplift.storage.sql.tables import STATUS, cohort_part, instance, position, process
from uplift.storage.statements.instances.cohort_counts import (
    KEY,
    STORED,
    cohort_in,
    counted_in,
    differing_cohorts,
    fold_all,
    is_listed_cohort,
)

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
# The table without the conversion of its statuses: a damaged row may have any code.
DELETE_COUNTS = delete(STORED).where(is_listed_cohort(STORED))
ADD_COUNTS = insert(STORED)


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
        for batch in batches(map(cohort_in, rows)):
            await connection.execute(DELETE_COUNTS, {"cohorts": batch})
        if counted := counted_in(rows):
            await connection.execute(ADD_COUNTS, counted)
        return tuple(map(_difference, rows))


async def _rows(connection: Connection) -> Sequence[Any]:
    if connection.layout.has_buckets:
        return await in_buckets.find_differences(connection)
    return (await connection.execute(DIFFERENCES)).all()


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
