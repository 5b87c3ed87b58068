"""Deletes the outcomes of an upgrade, in the order in which they are listed, and positions without a user."""

from typing import Any

from sqlalchemy import Delete, Select, and_, bindparam, delete, exists, func, select

from uplift.domain.model.selection import LISTED
from uplift.domain.model.upgrade import Upgrade
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import decision, instance, move_order, outcome, partition, position, selected
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements.outcomes.processed import IS_PROCESSED
from uplift.storage.statements.upgrades.upgrade_events import prune_pauses

OF_UPGRADE = bindparam("of_id", type_=outcome.c.upgrade_id.type)
LIMIT = bindparam("limit", type_=outcome.c.upgrade_id.type)
IS_PROCESSED_ID = (selected.c.upgrade_id == OF_UPGRADE) & IS_PROCESSED

FIRST_OUTCOMES = (
    select(outcome.c.instance_id)
    .where(outcome.c.upgrade_id == OF_UPGRADE)
    .order_by(outcome.c.instance_id)
    .limit(LIMIT)
)
FIRST_NAMED = select(selected.c.instance_id).where(IS_PROCESSED_ID).order_by(selected.c.ordinal).limit(LIMIT)


def _delete_orders(first: Select[Any]) -> Delete:
    return delete(move_order).where(
        move_order.c.upgrade_id == OF_UPGRADE, move_order.c.instance_id.in_(first)
    )


DELETE_FIRST_ORDERS, DELETE_FIRST_NAMED_ORDERS = _delete_orders(FIRST_OUTCOMES), _delete_orders(FIRST_NAMED)
DELETE_FIRST = delete(outcome).where(
    outcome.c.upgrade_id == OF_UPGRADE, outcome.c.instance_id.in_(FIRST_OUTCOMES)
)
DELETE_FIRST_NAMED = delete(outcome).where(
    outcome.c.upgrade_id == OF_UPGRADE, outcome.c.instance_id.in_(FIRST_NAMED)
)
DELETE_FIRST_NAMES = delete(selected).where(
    selected.c.upgrade_id == OF_UPGRADE,
    selected.c.ordinal.in_(
        select(selected.c.ordinal).where(IS_PROCESSED_ID).order_by(selected.c.ordinal).limit(LIMIT)
    ),
)
DELETE_PROCESSED_NAMES = delete(selected).where(IS_PROCESSED_ID)
DELETE_NAMES = delete(selected).where(selected.c.upgrade_id == OF_UPGRADE)
DELETE_PARTITIONS = delete(partition).where(partition.c.upgrade_id == OF_UPGRADE)
HAS_OUTCOMES = select(exists().where(outcome.c.upgrade_id == OF_UPGRADE))

USED = select(instance.c.position_id).distinct().subquery("used")
"""The positions of instances: one scan, because no index covers what an upgrade changes."""
IS_UNUSED = and_(
    position.c.id.not_in(select(USED.c.position_id)),
    ~exists().where(decision.c.position_id == position.c.id),
    ~exists().where(decision.c.to_position_id == position.c.id),
    ~exists().where(decision.c.put_position_id == position.c.id),
)
"""Outcomes and origins need no look: each has the position of a decision, and decisions are never deleted."""
UNUSED_POSITIONS = (
    select(position.c.id)
    .where(IS_UNUSED, position.c.id < select(func.max(position.c.id)).scalar_subquery())
    .order_by(position.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, of=position)
)
"""The newest one stays: SQLite would give its number, which other programs have cached, to the next one."""
DELETE_POSITIONS = delete(position).where(position.c.id.in_(bindparam("ids", expanding=True)), IS_UNUSED)


async def prune_positions(connection: Connection, limit: int) -> int:
    """Delete at most `limit` positions that no instance and no decision has. Returns how many."""
    # Looked at twice: an instance may have got a position after the first look, before its row was locked.
    unused = [row.id for row in await connection.execute(UNUSED_POSITIONS, {"limit": limit})]
    if not unused:
        return 0
    return (await connection.execute(DELETE_POSITIONS, {"ids": unused})).rowcount


async def prune_outcomes(connection: Connection, upgrade_keys: UpgradeKeys, old: Upgrade, limit: int) -> int:
    """Delete the first outcomes of an upgrade, at most `limit`. Returns how many.

    With the last outcome of an instance it deletes all remaining ids of the request, however many: processed
    ids without an instance, which count as outcomes, and ids that the upgrade has not processed.
    """
    bound = {"of_id": upgrade_keys.id, "limit": limit}

    async def run(statement: Delete) -> int:
        return (await connection.execute(statement, bound)).rowcount

    is_by_ids = old.selection in LISTED
    if old.link is not None:
        await run(DELETE_FIRST_NAMED_ORDERS if is_by_ids else DELETE_FIRST_ORDERS)
    if is_by_ids:
        await run(DELETE_FIRST_NAMED)
        deleted = await run(DELETE_FIRST_NAMES)
    else:
        deleted = await run(DELETE_FIRST)
    if not (await connection.execute(HAS_OUTCOMES, bound)).scalar_one():
        deleted += await run(DELETE_PROCESSED_NAMES) if is_by_ids else 0
        await run(DELETE_NAMES)
        await run(DELETE_PARTITIONS)
        await prune_pauses(connection, upgrade_keys)
    return deleted
