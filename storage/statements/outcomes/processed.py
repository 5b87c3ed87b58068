"""Provides the condition that an upgrade has processed an id of its request."""

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
"""No remaining partition covers the id, so it has an outcome, whether or not an instance has this id."""
