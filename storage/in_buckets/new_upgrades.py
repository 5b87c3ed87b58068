"""Adds an upgrade, with the instances that it selects or excludes, each in its bucket, and divides it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from uplift.domain.model.selection import LISTED, Matching, SelectionKind, UpgradeSelection
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.storage.sql.bucket_tables import BUCKET, IS_ACTIVE, instance, outcome, selected
from uplift.storage.sql.buckets import key_in
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import insert_many
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements.instances.conditions import bind_conditions, meets_conditions
from uplift.storage.statements.upgrades.new_upgrades import COUNT_NAMED_MATCHING, NOTHING
from uplift.storage.statements.upgrades.upgrades import add_row, save_upgrade

IS_SELECTED = (instance.c.bucket == selected.c.bucket) & (instance.c.id == selected.c.instance_id)
NAMED = (
    select(ID_LIST.c.ordinal, instance.c.id)
    .join(ID_LIST, ID_LIST.c.uuid == instance.c.uuid)
    .where(instance.c.bucket == BUCKET, instance.c.process_id == bindparam("process_id"))
)
COUNT_EXCLUDED = (
    select(func.count())
    .join_from(selected, instance, IS_SELECTED)
    .where(selected.c.upgrade_id == bindparam("upgrade_id"), IS_ACTIVE)
)
COUNT_EXCLUDED_MATCHING = COUNT_EXCLUDED.where(meets_conditions(instance))
FIRST_MATCHING = (
    select(instance.c.id, instance.c.uuid)
    .where(
        instance.c.process_id == bindparam("process_id"),
        IS_ACTIVE,
        meets_conditions(instance),
        instance.c.uuid.not_in(select(ID_LIST.c.uuid)),
    )
    .order_by(instance.c.id)
    .limit(bindparam("first"))
)
ADD_SELECTED = insert(selected)
LAST_PLACES = (
    select(selected.c.bucket, func.max(selected.c.place).label("last"))
    .where(selected.c.upgrade_id == bindparam("of_upgrade"))
    .group_by(selected.c.bucket)
)
LAST_INSTANCE = select(func.max(instance.c.id)).where(
    instance.c.bucket == BUCKET, instance.c.process_id == bindparam("of_process")
)
LAST_EARLIER = select(func.max(outcome.c.instance_id)).where(
    outcome.c.bucket == BUCKET, outcome.c.upgrade_id == bindparam("of_upgrade")
)


async def add_upgrade(
    connection: Connection, process_id: int, new: Upgrade, selection: UpgradeSelection
) -> tuple[Upgrade, UpgradeKeys]:
    """Add an upgrade and the ids of its request. Returns the upgrade and its surrogate keys."""
    upgrade_keys = await add_row(connection, process_id, new, selection)
    if selection.kind is SelectionKind.BY_IDS:
        await _add_named(connection, upgrade_keys, selection)
        return new, upgrade_keys
    if isinstance(selection, Matching):
        counted = await _add_matching(connection, upgrade_keys, new, selection)
    elif selection.kind is SelectionKind.ALL_ACTIVE and selection.named_ids:
        await _add_excluded(connection, upgrade_keys, selection)
        bound = {"upgrade_id": upgrade_keys.id}
        excluded: int = (await connection.execute(COUNT_EXCLUDED, bound)).scalar_one()
        counted = replace(new, excluded=excluded, expected=max(0, new.expected - excluded))
    else:
        return new, upgrade_keys
    await save_upgrade(connection, upgrade_keys, counted, more=NOTHING)
    return counted, upgrade_keys


async def whole_partitions(
    connection: Connection, upgrade_keys: UpgradeKeys, new: Upgrade, selection: UpgradeSelection
) -> tuple[Partition, ...]:
    """The partitions that cover the whole selection of a new upgrade, one in each bucket that has some of it.

    There is at least one, since a worker ends an upgrade with its last partition.
    """
    ends: dict[int, int] = {}
    if selection.kind in LISTED:
        rows = await connection.execute(LAST_PLACES, {"of_upgrade": upgrade_keys.id})
        ends = {row.bucket: row.last for row in rows}
    else:
        last = LAST_INSTANCE if selection.of is None else LAST_EARLIER
        bound = {"of_process": upgrade_keys.process_id, "of_upgrade": upgrade_keys.of_upgrade_id}
        for bucket in connection.layout.buckets:
            found = (await connection.execute(last, {**bound, "of_bucket": bucket})).scalar_one()
            if found is not None:
                ends[bucket] = found
    return tuple(
        Partition(upgrade=new.id, cursor=key_in(bucket, 0), last=key_in(bucket, end))
        for bucket, end in sorted((ends or {connection.layout.buckets[0]: 0}).items())
    )


async def _add_named(connection: Connection, upgrade_keys: UpgradeKeys, selection: UpgradeSelection) -> None:
    """Add named ids: those of each bucket get places from 1 along the instances, the absent ones last."""
    for bucket, found in await _find_named(connection, upgrade_keys, selection):
        along = sorted(found, key=lambda row: (row["instance_id"] is None, row["instance_id"] or 0))
        await _add(connection, upgrade_keys, bucket, [{**row, "place": n} for n, row in enumerate(along, 1)])


async def _add_excluded(
    connection: Connection, upgrade_keys: UpgradeKeys, selection: UpgradeSelection
) -> None:
    """Add excluded ids. Their places are the keys of their instances: a chunk finds those in its range."""
    for bucket, found in await _find_named(connection, upgrade_keys, selection):
        present = [row for row in found if row["instance_id"] is not None]
        await _add(
            connection, upgrade_keys, bucket, [{**row, "place": row["instance_id"]} for row in present]
        )


async def _add_matching(
    connection: Connection, upgrade_keys: UpgradeKeys, new: Upgrade, selection: Matching
) -> Upgrade:
    """Add the instances that a limit fixes, or else the excluded ones; return the upgrade with its counts."""
    process_id = upgrade_keys.process_id
    conditions = await bind_conditions(connection, process_id, selection.conditions)
    named = bind_ids(selection.named_ids)
    bound = {"upgrade_id": upgrade_keys.id, "process_id": process_id, **named, **conditions}
    if selection.conditions.limit is None:
        await _add_excluded(connection, upgrade_keys, selection)
        excluded: int = (await connection.execute(COUNT_EXCLUDED_MATCHING, bound)).scalar_one()
        return replace(new, excluded=excluded)
    first = {**bound, "first": selection.conditions.limit}
    found = (await connection.execute(FIRST_MATCHING, first)).all()
    buckets: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for ordinal, row in enumerate(found, 1):
        rows = buckets[connection.layout.bucket_of(row.uuid)]
        place = len(rows) + 1
        rows.append({"ordinal": ordinal, "uuid": row.uuid, "instance_id": row.id, "place": place})
    for bucket, rows in sorted(buckets.items()):
        await _add(connection, upgrade_keys, bucket, rows)
    excluded = (await connection.execute(COUNT_NAMED_MATCHING, bound)).scalar_one()
    return replace(new, excluded=excluded, expected=len(found))


async def _find_named(
    connection: Connection, upgrade_keys: UpgradeKeys, selection: UpgradeSelection
) -> Sequence[tuple[int, list[dict[str, Any]]]]:
    """The named ids of each bucket, with the keys of their instances."""
    numbered = list(enumerate(selection.named_ids, 1))
    found = []
    for bucket, named in connection.layout.by_bucket(numbered, lambda pair: pair[1]).items():
        bound = {"of_bucket": bucket, "process_id": upgrade_keys.process_id}
        ids = bind_ids([uuid for _, uuid in named])
        rows = await connection.execute(NAMED, {**bound, **ids})
        keys = {row.ordinal: row.id for row in rows}
        listed = [
            {"ordinal": ordinal, "uuid": uuid, "instance_id": keys.get(place)}
            for place, (ordinal, uuid) in enumerate(named, 1)
        ]
        found.append((bucket, listed))
    return found


async def _add(
    connection: Connection, upgrade_keys: UpgradeKeys, bucket: int, rows: Sequence[dict[str, Any]]
) -> None:
    if rows:
        place = {"upgrade_id": upgrade_keys.id, "bucket": bucket}
        await insert_many(connection, ADD_SELECTED, [{**row, **place} for row in rows])
