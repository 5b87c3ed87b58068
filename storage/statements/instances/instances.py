"""Reads rows of the instance table, and inserts new ones."""

from asyncio import to_thread
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from sqlalchemy import FromClause, Integer, Select, select, type_coerce

from uplift.domain.concurrency import pieces
from uplift.domain.model.instance import Instance, InstanceId, Position
from uplift.domain.model.process import VersionNumber
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import copy_new, insert_absent, reserve_keys
from uplift.storage.sql.id_list import ID_LIST
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import STATUS, instance
from uplift.storage.statements.instances.cohort_counts import CountChanges, StoredCohort

COPY_THRESHOLD = 1_000
"""From this number of new instances on, COPY is faster than INSERT."""
INSERT_PIECE = 5_000
"""The maximum of rows in one INSERT, COPY or UPDATE. Binding them takes the event loop about 10 ms."""
STATUS_CODES = {status: code for code, status in enumerate(STATUS.members, start=1)}

INSTANCES = select(
    instance.c.id,
    instance.c.uuid,
    instance.c.process_id,
    instance.c.version,
    instance.c.status,
    instance.c.position_id,
)


def locking(table: FromClause) -> Select[Any]:
    """Locks the listed instances in the order of their ids, as chunks do, so that the two never deadlock."""
    return (
        select(
            # Not the id, which would be converted and hashed for each instance.
            ID_LIST.c.ordinal,
            table.c.id,
            table.c.process_id,
            table.c.version,
            type_coerce(table.c.status, Integer),
            table.c.position_id,
        )
        .join(ID_LIST, ID_LIST.c.uuid == table.c.uuid)
        .order_by(table.c.id)
        .with_for_update(of=table, key_share=True)
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


async def insert_instances(
    connection: Connection,
    counts: CountChanges,
    process_id: int,
    absent: Sequence[Instance],
    position_ids: Mapping[Position, int],
) -> list[Instance]:
    """Insert instances, which are then counted. Returns those that another transaction has inserted."""
    if not absent or await _copy(connection, counts, process_id, absent, position_ids):
        return []
    taken: list[Instance] = []
    ordered, keys = await _in_lock_order(connection, absent)
    async for start, piece in pieces(ordered, INSERT_PIECE):
        rows = rows_to_insert(process_id, piece, position_ids)
        if keys:
            for row, key in zip(rows, keys[start : start + len(rows)], strict=True):
                row["id"] = key
        inserted = await insert_absent(connection, instance, rows, key="uuid")
        if len(inserted) < len(rows):
            taken += [registered for registered in piece if registered.id not in inserted]
            rows = [row for row in rows if row["uuid"] in inserted]
        counts.add(map(cohort_in, rows))
    return taken


async def _copy(
    connection: Connection,
    counts: CountChanges,
    process_id: int,
    absent: Sequence[Instance],
    position_ids: Mapping[Position, int],
) -> bool:
    """Insert many instances by COPY. Returns False, with nothing written, if that is not possible.

    Then they lie in the table in the order of their surrogate keys, in which chunks process them. If they lay
    scattered over the pages of a large registration, each chunk would write and clean up all of these pages.
    """
    if len(absent) < COPY_THRESHOLD:
        return False
    cohorts: Counter[StoredCohort] = Counter()

    async def rows() -> AsyncIterator[list[dict[str, Any]]]:
        async for _, piece in pieces(absent, INSERT_PIECE):
            copied = rows_to_insert(process_id, piece, position_ids)
            cohorts.update(map(cohort_in, copied))
            yield copied

    if not await copy_new(connection, instance, rows()):
        return False
    counts.add_counted(cohorts)
    return True


def rows_to_insert(
    process_id: int, new: Sequence[Instance], position_ids: Mapping[Position, int]
) -> list[dict[str, Any]]:
    """A row for each new instance, without its surrogate key."""
    return [
        {
            "uuid": registered.id,
            "process_id": process_id,
            "version": registered.version,
            "status": registered.status,
            "position_id": position_ids[registered.position],
        }
        for registered in new
    ]


def cohort_in(row: Mapping[str, Any]) -> StoredCohort:
    """The cohort that an inserted row enters."""
    return row["process_id"], row["version"], STATUS_CODES[row["status"]], row["position_id"]


async def _in_lock_order(
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
