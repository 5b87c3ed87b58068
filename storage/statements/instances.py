"""Reads, registers and updates instances."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Select, bindparam, func, select, union_all

from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.cohort import CountedCohort
from uplift.domain.model.instance import ACTIVE, Instance, InstanceId, InstanceReport
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.ports import InstanceFilter
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import UpdateMany, copy_new, insert_many, upsert
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.surrogate_keys import SurrogateKeys, batches
from uplift.storage.sql.tables import IS_ACTIVE, instance
from uplift.storage.sqlite.prepared import RUN_INLINE
from uplift.storage.statements.cohorts import cohorts_of

INSTANCES = select(
    instance.c.id,
    instance.c.uuid,
    instance.c.process_id,
    instance.c.version,
    instance.c.status,
    instance.c.position_id,
)
INSTANCES_BY_UUID = INSTANCES.join(ID_LIST, ID_LIST.c.uuid == instance.c.uuid).order_by(ID_LIST.c.ordinal)
FEW = 10
FEW_BY_UUID = INSTANCES_BY_UUID.execution_options(**RUN_INLINE)
OWNERS = (
    select(instance.c.uuid, instance.c.process_id)
    .join(ID_LIST, ID_LIST.c.uuid == instance.c.uuid)
    .order_by(instance.c.id)
    .with_for_update(of=instance, key_share=True)
)
"""Locks the instances in the order of their ids, as chunks do: any other order could deadlock with these."""
COHORTS = (
    select(
        instance.c.process_id,
        instance.c.version,
        instance.c.status,
        instance.c.position_id,
        func.count().label("instances"),
    )
    .where(instance.c.process_id.in_(bindparam("ids", expanding=True)))
    .group_by(instance.c.process_id, instance.c.version, instance.c.status, instance.c.position_id)
    .order_by(
        instance.c.process_id,
        instance.c.version,
        instance.c.status,
        func.count().desc(),
        instance.c.position_id,
    )
)
REGISTER = upsert(instance, keys=("uuid",), replaced=("status", "position_id"), same=("process_id",))
COPIED_FROM = 1_000
"""As many new instances are worth a way of their own."""
REPORT = UpdateMany(instance, key="uuid", changed=("status", "position_id"))


async def find_instances(
    connection: Connection, surrogate_keys: SurrogateKeys, ids: Sequence[InstanceId]
) -> Mapping[InstanceId, Instance]:
    statement = FEW_BY_UUID if len(ids) <= FEW else INSTANCES_BY_UUID
    rows = (await connection.execute(statement, bind_ids(ids))).all()
    return {found.id: found for found in await instances_of(surrogate_keys, rows)}


async def instance_pages(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    process_keys: Sequence[ProcessKey],
    instance_filter: InstanceFilter,
    page: PageRequest,
) -> Mapping[ProcessKey, Page[Instance]]:
    ids = await surrogate_keys.process_ids(process_keys)
    listed: dict[ProcessKey, list[tuple[int, Instance]]] = defaultdict(list)
    for batch in batches(ids.values()):
        listings = [select(_listing(process_id, instance_filter, page).subquery()) for process_id in batch]
        rows = (await connection.execute(union_all(*listings))).all()
        for row, found in zip(rows, await instances_of(surrogate_keys, rows), strict=True):
            listed[found.process].append((row.id, found))
    # UNION ALL promises no order of its parts.
    return {
        process_key: page_of(sorted(listed[process_key], key=itemgetter(0)), page.first)
        for process_key in process_keys
    }


async def count_cohorts(
    connection: Connection, surrogate_keys: SurrogateKeys, process_keys: Sequence[ProcessKey]
) -> Mapping[ProcessKey, tuple[CountedCohort, ...]]:
    ids = await surrogate_keys.process_ids(process_keys)
    rows = (await connection.execute(COHORTS, {"ids": list(ids.values())})).all()
    counted: dict[int, list[CountedCohort]] = defaultdict(list)
    for row, cohort in zip(rows, await cohorts_of(surrogate_keys, rows), strict=True):
        counted[row.process_id].append(CountedCohort(cohort=cohort, count=row.instances))
    return {
        process_key: tuple(counted[ids[process_key]]) if process_key in ids else ()
        for process_key in process_keys
    }


async def find_owners(
    connection: Connection, surrogate_keys: SurrogateKeys, ids: Sequence[InstanceId]
) -> Mapping[InstanceId, ProcessKey]:
    rows = (await connection.execute(OWNERS, bind_ids(ids))).all()
    keys = await surrogate_keys.process_keys(row.process_id for row in rows)
    return {row.uuid: keys[row.process_id] for row in rows}


async def register(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    process_id: int,
    instances: Sequence[Instance],
    *,
    may_be_new: bool,
) -> None:
    """Add instances, each named once, or change those that are there; `may_be_new` when all may be new."""
    numbers = await surrogate_keys.position_ids(process_id, [one.position for one in instances])
    rows = [
        {
            "uuid": one.id,
            "process_id": process_id,
            "version": one.version,
            "status": one.status,
            "position_id": numbers[one.position],
        }
        for one in instances
    ]
    if may_be_new and len(rows) >= COPIED_FROM and await copy_new(connection, instance, rows):
        return
    if rows and await insert_many(connection, REGISTER, rows) < len(rows):
        raise StoreUnavailable("another process has got one of these instances just now")


async def report(
    connection: Connection, surrogate_keys: SurrogateKeys, process_id: int, reports: Sequence[InstanceReport]
) -> None:
    numbers = await surrogate_keys.position_ids(process_id, [report.position for report in reports])
    # By id, for only the last report on an instance counts.
    rows = {
        one.id: {
            "row_uuid": one.id,
            "row_status": one.status,
            "row_position_id": numbers[one.position],
        }
        for one in reports
    }
    if rows:
        await REPORT.execute(connection, list(rows.values()))


def _listing(process_id: int, instance_filter: InstanceFilter, page: PageRequest) -> Select[Any]:
    listing = INSTANCES.where(instance.c.process_id == process_id, instance.c.id > (page.after or 0))
    if instance_filter.status is not None:
        listing = listing.where(instance.c.status == instance_filter.status)
    if instance_filter.status in ACTIVE:
        listing = listing.where(IS_ACTIVE)
    if instance_filter.version is not None:
        listing = listing.where(instance.c.version == instance_filter.version)
    return listing.order_by(instance.c.id).limit(page.first + 1)


async def instances_of(surrogate_keys: SurrogateKeys, rows: Sequence[Any]) -> list[Instance]:
    """The instances that these rows of the instance table are."""
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
