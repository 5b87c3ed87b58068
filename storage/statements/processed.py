"""Tells which ids of a request its upgrade has processed."""

from sqlalchemy import select

from uplift.storage.sql.tables import partition, selected

IS_PROCESSED = ~(
    select(partition.c.upgrade_id)
    .where(
        partition.c.upgrade_id == selected.c.upgrade_id,
        partition.c.cursor < selected.c.place,
        partition.c.last_key >= selected.c.place,
    )
    .exists()
)
"""No partition covers them any more: each of them is an outcome, with an instance or without."""
