"""Adds an upgrade, with the instances that it selects or excludes, and counts them."""

from dataclasses import replace

from sqlalchemy import Integer, bindparam, func, insert, select

from uplift.domain.model.selection import Matching, SelectionKind, UpgradeSelection
from uplift.domain.model.upgrade import Tally, Upgrade
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.tables import IS_ACTIVE, instance, selected
from uplift.storage.sql.types import ID
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements.instances.conditions import IS_MATCHING, MEETS_CONDITIONS, bind_conditions
from uplift.storage.statements.upgrades.upgrades import add_row, save_upgrade

NOTHING = Tally()
ADD_SELECTED = insert(selected).from_select(
    ["upgrade_id", "place", "ordinal", "uuid", "instance_id"],
    select(
        bindparam("upgrade_id", type_=Integer),
        func.row_number().over(order_by=instance.c.id),
        ID_LIST.c.ordinal,
        ID_LIST.c.uuid,
        instance.c.id,
    ).outerjoin_from(
        ID_LIST,
        instance,
        (instance.c.uuid == ID_LIST.c.uuid) & (instance.c.process_id == bindparam("process_id")),
    ),
)
INSTANCE_KEY = select(instance.c.id).where(
    instance.c.uuid == bindparam("instance_uuid", type_=ID), instance.c.process_id == bindparam("process_id")
)
ADD_ONE_SELECTED = insert(selected).values(
    upgrade_id=bindparam("upgrade_id"),
    place=1,
    ordinal=1,
    uuid=bindparam("instance_uuid", type_=ID),
    instance_id=INSTANCE_KEY.scalar_subquery(),
)
"""The same for one id, without a list to unpack and sort."""
ADD_EXCLUDED = insert(selected).from_select(
    ["upgrade_id", "place", "ordinal", "uuid", "instance_id"],
    select(
        bindparam("upgrade_id", type_=Integer),
        instance.c.id,
        ID_LIST.c.ordinal,
        ID_LIST.c.uuid,
        instance.c.id,
    )
    .join_from(ID_LIST, instance, instance.c.uuid == ID_LIST.c.uuid)
    .where(instance.c.process_id == bindparam("process_id")),
)
"""The place of an excluded id is the key of its instance, so that a chunk finds the ids in its range."""
COUNT_EXCLUDED = (
    select(func.count())
    .join_from(selected, instance, instance.c.id == selected.c.instance_id)
    .where(selected.c.upgrade_id == bindparam("upgrade_id"), IS_ACTIVE)
)
COUNT_EXCLUDED_MATCHING = COUNT_EXCLUDED.where(MEETS_CONDITIONS)
IS_NAMED = instance.c.uuid.in_(select(ID_LIST.c.uuid))
COUNT_NAMED_MATCHING = select(func.count()).select_from(instance).where(IS_MATCHING, IS_NAMED)
FIRST_MATCHING = (
    select(instance.c.id, instance.c.uuid)
    .where(IS_MATCHING, ~IS_NAMED)
    .order_by(instance.c.id)
    .limit(bindparam("first"))
    .subquery("first_matching")
)
PLACE = func.row_number().over(order_by=FIRST_MATCHING.c.id)
ADD_FIRST_MATCHING = insert(selected).from_select(
    ["upgrade_id", "place", "ordinal", "uuid", "instance_id"],
    select(bindparam("upgrade_id", type_=Integer), PLACE, PLACE, FIRST_MATCHING.c.uuid, FIRST_MATCHING.c.id),
)
"""Fixes the instances of the upgrade, so that it processes no other ones, however many workers share it."""


async def add_upgrade(
    connection: Connection, process_id: int, new: Upgrade, selection: UpgradeSelection
) -> tuple[Upgrade, UpgradeKeys]:
    """Add an upgrade and the ids of its request. Returns the upgrade and its surrogate keys."""
    upgrade_keys = await add_row(connection, process_id, new, selection)
    bound = {"upgrade_id": upgrade_keys.id, "process_id": process_id}
    if selection.kind is SelectionKind.BY_IDS and selection.named_ids:
        ids = selection.named_ids
        if len(ids) == 1:
            await connection.execute_later(ADD_ONE_SELECTED, {**bound, "instance_uuid": ids[0]})
        else:
            await connection.execute_later(ADD_SELECTED, {**bound, **bind_ids(ids)})
    if selection.kind is SelectionKind.ALL_ACTIVE and selection.named_ids:
        await connection.execute_later(ADD_EXCLUDED, {**bound, **bind_ids(selection.named_ids)})
        excluded: int = (await connection.execute(COUNT_EXCLUDED, bound)).scalar_one()
        counted = replace(new, excluded=excluded, expected=max(0, new.expected - excluded))
        await save_upgrade(connection, upgrade_keys, counted, more=NOTHING)
        return counted, upgrade_keys
    if isinstance(selection, Matching):
        matching = await _add_matching(connection, upgrade_keys, new, selection)
        await save_upgrade(connection, upgrade_keys, matching, more=NOTHING)
        return matching, upgrade_keys
    return new, upgrade_keys


async def _add_matching(
    connection: Connection, upgrade_keys: UpgradeKeys, new: Upgrade, selection: Matching
) -> Upgrade:
    """Add the instances that a limit fixes, or else the excluded ones; return the upgrade with its counts."""
    process_id = upgrade_keys.process_id
    bound = {
        "upgrade_id": upgrade_keys.id,
        "process_id": process_id,
        **bind_ids(selection.named_ids),
        **await bind_conditions(connection, process_id, selection.conditions),
    }
    if selection.conditions.limit is None:
        await connection.execute_later(ADD_EXCLUDED, bound)
        excluded: int = (await connection.execute(COUNT_EXCLUDED_MATCHING, bound)).scalar_one()
        return replace(new, excluded=excluded)
    first = {**bound, "first": selection.conditions.limit}
    found = (await connection.execute(ADD_FIRST_MATCHING, first)).rowcount
    excluded = (await connection.execute(COUNT_NAMED_MATCHING, bound)).scalar_one()
    return replace(new, excluded=excluded, expected=found)
