"""Compares the kept counts of each bucket with its instances, and repairs them."""

from collections import defaultdict
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import ARRAY, Integer, any_, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert

from uplift.storage.in_buckets.counts import STORED
from uplift.storage.sql.bucket_tables import BUCKET, cohort_part, instance
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import insert_many
from uplift.storage.sql.surrogate_keys import batches
from uplift.storage.sql.tables import position, process
from uplift.storage.statements.instances.cohort_counts import (
    KEY,
    cohort_in,
    counted_in,
    differing_cohorts,
    is_listed_cohort,
)

DIFFERENT = differing_cohorts(cohort_part, instance, ("bucket", *KEY))
DIFFERENCES = DIFFERENT.order_by(*(DIFFERENT.selected_columns[name] for name in (*KEY, "bucket")))
IDS = bindparam("ids", type_=ARRAY(Integer))
PROCESSES = select(process.c.id, process.c.namespace, process.c.code).where(process.c.id == any_(IDS))
POSITIONS = select(position.c.id, position.c.elements).where(position.c.id == any_(IDS))
DELETE_COUNTS = delete(STORED).where(STORED.c.bucket == BUCKET, is_listed_cohort(STORED))
ADD_COUNTS = insert(STORED)


async def find_differences(connection: Connection) -> Sequence[Any]:
    """The cohorts of each bucket whose kept counts are wrong, with the names of process and position."""
    rows = (await connection.execute(DIFFERENCES)).all()
    process_ids = {"ids": list({row.process_id for row in rows})}
    position_ids = {"ids": list({row.position_id for row in rows})}
    processes = {row.id: row for row in await connection.execute(PROCESSES, process_ids)}
    elements = {row.id: row.elements for row in await connection.execute(POSITIONS, position_ids)}
    return [
        SimpleNamespace(
            **row._asdict(),
            namespace=getattr(processes.get(row.process_id), "namespace", None),
            code=getattr(processes.get(row.process_id), "code", None),
            elements=elements.get(row.position_id),
        )
        for row in rows
    ]


async def repair(connection: Connection, rows: Sequence[Any]) -> None:
    """Replace wrong counts, whose changes were folded."""
    by_bucket: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        by_bucket[row.bucket].append(row)
    for bucket, wrong in sorted(by_bucket.items()):
        for batch in batches(map(cohort_in, wrong)):
            await connection.execute(DELETE_COUNTS, {"of_bucket": bucket, "cohorts": batch})
        if counted := [{**count, "bucket": bucket} for count in counted_in(wrong)]:
            await insert_many(connection, ADD_COUNTS, counted)
