"""Reads rows of the instance table, and orders new ones."""

from asyncio import to_thread
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from uplift.domain.model.instance import Instance, InstanceId
from uplift.domain.model.process import VersionNumber
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import reserve_keys
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


async def in_lock_order(
    connection: Connection, absent: Sequence[Instance]
) -> tuple[Sequence[Instance], Sequence[int]]:
    """The instances in the order in which they are inserted, with their surrogate keys on PostgreSQL.

    There an INSERT waits for a transaction that inserts the same id, so two orders of ids could deadlock.
    Lists show instances by surrogate key, so each instance gets its key before the sort.
    """
    if connection.dialect.name == "sqlite" or len(absent) == 1:
        return absent, ()
    keys = await reserve_keys(connection, instance, len(absent))
    # Comparing UUIDs themselves is slow. In a thread the sort lets the event loop serve others.
    order = await to_thread(sorted, range(len(absent)), key=lambda place: absent[place].id.int)
    return [absent[place] for place in order], [keys[place] for place in order]
