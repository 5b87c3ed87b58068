"""Deletes the outcomes of an upgrade, in the order in which they are listed."""

from sqlalchemy import Delete, bindparam, delete, exists, select

from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import Upgrade
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import outcome, partition, selected
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements.processed import IS_PROCESSED

OF_UPGRADE = bindparam("of_id", type_=outcome.c.upgrade_id.type)
LIMIT = bindparam("limit", type_=outcome.c.upgrade_id.type)
IS_PROCESSED_ID = (selected.c.upgrade_id == OF_UPGRADE) & IS_PROCESSED

DELETE_FIRST = delete(outcome).where(
    outcome.c.upgrade_id == OF_UPGRADE,
    outcome.c.instance_id.in_(
        select(outcome.c.instance_id)
        .where(outcome.c.upgrade_id == OF_UPGRADE)
        .order_by(outcome.c.instance_id)
        .limit(LIMIT)
    ),
)
DELETE_FIRST_NAMED = delete(outcome).where(
    outcome.c.upgrade_id == OF_UPGRADE,
    outcome.c.instance_id.in_(
        select(selected.c.instance_id).where(IS_PROCESSED_ID).order_by(selected.c.ordinal).limit(LIMIT)
    ),
)
DELETE_FIRST_NAMES = delete(selected).where(
    selected.c.upgrade_id == OF_UPGRADE,
    selected.c.ordinal.in_(
        select(selected.c.ordinal).where(IS_PROCESSED_ID).order_by(selected.c.ordinal).limit(LIMIT)
    ),
)
DELETE_PROCESSED_NAMES = delete(selected).where(IS_PROCESSED_ID)
DELETE_NAMES = delete(selected).where(selected.c.upgrade_id == OF_UPGRADE)
DELETE_PARTITIONS = delete(partition).where(
    partition.c.upgrade_id == OF_UPGRADE,
    partition.c.last_key.in_(
        # A worker that has not noticed the end locks its partition, and then waits for the upgrade that this
        # transaction has locked. Waiting for its partition would be a deadlock, so skip it.
        select(partition.c.last_key)
        .where(partition.c.upgrade_id == OF_UPGRADE)
        .with_for_update(skip_locked=True)
    ),
)
HAS_OUTCOMES = select(exists().where(outcome.c.upgrade_id == OF_UPGRADE))


async def prune_outcomes(connection: Connection, upgrade_keys: UpgradeKeys, old: Upgrade, limit: int) -> int:
    """Delete the first outcomes of an upgrade, at most `limit`. Returns how many.

    With the last outcome of an instance it deletes all remaining ids of the request, however many: processed
    ids without an instance, which count as outcomes, and ids that the upgrade has not processed.
    """
    bound = {"of_id": upgrade_keys.id, "limit": limit}

    async def run(statement: Delete) -> int:
        return (await connection.execute(statement, bound)).rowcount

    is_by_ids = old.selection is SelectionKind.BY_IDS
    if is_by_ids:
        await run(DELETE_FIRST_NAMED)
        deleted = await run(DELETE_FIRST_NAMES)
    else:
        deleted = await run(DELETE_FIRST)
    if not (await connection.execute(HAS_OUTCOMES, bound)).scalar_one():
        deleted += await run(DELETE_PROCESSED_NAMES) if is_by_ids else 0
        await run(DELETE_NAMES)
        await run(DELETE_PARTITIONS)
    return deleted
