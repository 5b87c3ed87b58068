"""Reads rows of the instance table."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from uplift.domain.model.instance import Instance, InstanceId
from uplift.domain.model.process import VersionNumber
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import instance

INSTANCES = select(
    instance.c.id,
    instance.c.uuid,
    instance.c.process_id,
    instance.c.version,
    instance.c.status,
    instance.c.position_id,
)


async def instances_of(surrogate_keys: SurrogateKeys, rows: Sequence[Any]) -> list[Instance]:
    """The instance in each row."""
    keys = await surrogate_keys.process_keys(row.process_id for row in rows)
    positions = await surrogate_keys.positions(row.position_id for row in rows)
    return [
        Instance(
            id=InstanceId(row.uuid),
            process=keys[row.process_id],
            version=VersionNumber(row.version),
            status=row.status,
            position=positions[row.position_id],
        )
        for row in rows
    ]
