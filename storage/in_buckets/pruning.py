"""Deletes the outcomes of an upgrade bucket by bucket, and positions without a user."""

from collections import defaultdict
from typing import Any

from sqlalchemy import ARRAY, Delete, Integer, Select, any_, bindparam, delete, exists, func, select

from uplift.domain.model.selection import LISTED
from uplift.domain.model.upgrade import Upgrade
from uplift.storage.sql.bucket_tables import BUCKET, outcome, partition, selected
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.number_list import is_listed
from uplift.storage.sql.tables import decision, instance, position
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements.outcomes.bucket_outcomes import IS_PROCESSED
from uplift.storage.statements.upgrades.upgrade_events import prune_pauses

OF_UPGRADE = bindparam("of_id", type_=Integer)
LIMIT = bindparam("limit", type_=Integer)
FIRST_OUTCOMES = (
    select(outcome.c.bucket, outcome.c.instance_id)
    .where(outcome.c.upgrade_id == OF_UPGRADE)
    .order_by(outcome.c.instance_id)
    .limit(LIMIT)
)
FIRST_NAMES = (
    select(selected.c.bucket, selected.c.place, selected.c.instance_id)
    .where(selected.c.upgrade_id == OF_UPGRADE, IS_PROCESSED)
    .order_by(selected.c.ordinal)
    .limit(LIMIT)
)
DELETE_OUTCOMES = delete(outcome).where(
    outcome.c.bucket == BUCKET, outcome.c.upgrade_id == OF_UPGRADE, is_listed(outcome.c.instance_id, "keys")
)
DELETE_NAMES = delete(selected).where(
    selected.c.bucket == BUCKET, selected.c.upgrade_id == OF_UPGRADE, is_listed(selected.c.place, "keys")
)
HAS_OUTCOMES = select(exists().where(outcome.c.upgrade_id == OF_UPGRADE))
DELETE_PROCESSED_NAMES = delete(selected).where(
    selected.c.bucket == BUCKET, selected.c.upgrade_id == OF_UPGRADE, IS_PROCESSED
)
DELETE_ALL_NAMES = delete(selected).where(selected.c.bucket == BUCKET, selected.c.upgrade_id == OF_UPGRADE)
DELETE_PARTITIONS = delete(partition).where(
    partition.c.bucket == BUCKET, partition.c.upgrade_id == OF_UPGRADE
)

USED = select(instance.c.position_id).distinct()
IS_UNUSED = (
    ~(position.c.id == any_(bindparam("used", type_=ARRAY(Integer))))
    & ~exists().where(decision.c.position_id == position.c.id)
    & ~exists().where(decision.c.to_position_id == position.c.id)
    & ~exists().where(decision.c.put_position_id == position.c.id)
)
UNUSED_POSITIONS = (
    select(position.c.id)
    .where(IS_UNUSED, position.c.id < select(func.max(position.c.id)).scalar_subquery())
    .order_by(position.c.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, of=position)
)
DELETE_POSITIONS = delete(position).where(position.c.id.in_(bindparam("ids", expanding=True)), IS_UNUSED)


async def prune_positions(connection: Connection, limit: int) -> int:
    """Delete at most `limit` positions that no instance and no decision has. Returns how many."""

    async def used() -> list[int]:
        return list((await connection.execute(USED)).scalars())

    # Looked at twice: an instance may have got a position after the first look, before its row was locked.
    # On several nodes a commit may still be under way to one of them (docs/explanation/scale.md).
    bound = {"used": await used(), "limit": limit}
    unused = [row.id for row in await connection.execute(UNUSED_POSITIONS, bound)]
    if not unused:
        return 0
    deleted = await connection.execute(DELETE_POSITIONS, {"ids": unused, "used": await used()})
    return deleted.rowcount


async def prune_outcomes(connection: Connection, upgrade_keys: UpgradeKeys, old: Upgrade, limit: int) -> int:
    """Delete the first outcomes of an upgrade, at most `limit`. Returns how many.

    With the last outcome of an instance it deletes all remaining ids of the request, however many.
    """
    bound = {"of_id": upgrade_keys.id, "limit": limit}

    async def first(statement: Select[Any], key: str) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for row in await connection.execute(statement, bound):
            if getattr(row, key) is not None:
                found[row.bucket].append(getattr(row, key))
        return found

    async def run(statement: Delete, keys: dict[int, list[int]]) -> int:
        deleted = 0
        for bucket, listed in sorted(keys.items()):
            values = {"of_id": upgrade_keys.id, "of_bucket": bucket, "keys": listed}
            deleted += (await connection.execute(statement, values)).rowcount
        return deleted

    is_by_ids = old.selection in LISTED
    if is_by_ids:
        await run(DELETE_OUTCOMES, await first(FIRST_NAMES, "instance_id"))
        deleted = await run(DELETE_NAMES, await first(FIRST_NAMES, "place"))
    else:
        deleted = await run(DELETE_OUTCOMES, await first(FIRST_OUTCOMES, "instance_id"))
    if not (await connection.execute(HAS_OUTCOMES, bound)).scalar_one():
        all_buckets: dict[int, list[int]] = {bucket: [] for bucket in connection.layout.buckets}
        deleted += await run(DELETE_PROCESSED_NAMES, all_buckets) if is_by_ids else 0
        await run(DELETE_ALL_NAMES, all_buckets)
        await run(DELETE_PARTITIONS, all_buckets)
        await prune_pauses(connection, upgrade_keys)
    return deleted
