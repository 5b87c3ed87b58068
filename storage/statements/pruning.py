"""How the outcomes of an upgrade are forgotten, in the order in which they are listed."""

from sqlalchemy import Delete, bindparam, delete, exists, select

from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import Upgrade
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import outcome, partition, selected
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements.processed import IS_PROCESSED

OF_UPGRADE = bindparam("of_id", type_=outcome.c.upgrade_id.type)
MOST = bindparam("most", type_=outcome.c.upgrade_id.type)
WORKED = (selected.c.upgrade_id == OF_UPGRADE) & IS_PROCESSED

FORGET_FIRST = delete(outcome).where(
    outcome.c.upgrade_id == OF_UPGRADE,
    outcome.c.instance_id.in_(
        select(outcome.c.instance_id)
        .where(outcome.c.upgrade_id == OF_UPGRADE)
        .order_by(outcome.c.instance_id)
        .limit(MOST)
    ),
)
FORGET_FIRST_NAMED = delete(outcome).where(
    outcome.c.upgrade_id == OF_UPGRADE,
    outcome.c.instance_id.in_(
        select(selected.c.instance_id).where(WORKED).order_by(selected.c.ordinal).limit(MOST)
    ),
)
FORGET_FIRST_NAMES = delete(selected).where(
    selected.c.upgrade_id == OF_UPGRADE,
    selected.c.ordinal.in_(select(selected.c.ordinal).where(WORKED).order_by(selected.c.ordinal).limit(MOST)),
)
FORGET_WORKED_NAMES = delete(selected).where(WORKED)
FORGET_NAMES = delete(selected).where(selected.c.upgrade_id == OF_UPGRADE)
FORGET_PARTITIONS = delete(partition).where(
    partition.c.upgrade_id == OF_UPGRADE,
    partition.c.last_key.in_(
        # A worker that has not noticed the end holds its partition and then locks the upgrade: do not wait.
        select(partition.c.last_key)
        .where(partition.c.upgrade_id == OF_UPGRADE)
        .with_for_update(skip_locked=True)
    ),
)
HAS_OUTCOMES = select(exists().where(outcome.c.upgrade_id == OF_UPGRADE))


async def prune_outcomes(connection: Connection, upgrade_keys: UpgradeKeys, old: Upgrade, most: int) -> int:
    """Forget the first outcomes of an upgrade, and with the last one the ids that it named; returns how many.

    Ids without an instance that are left behind the last instance go with it, however many, and so does what
    the upgrade had not reached.
    """
    bound = {"of_id": upgrade_keys.id, "most": most}

    async def forget(statement: Delete) -> int:
        return (await connection.execute(statement, bound)).rowcount

    is_by_ids = old.selection is SelectionKind.BY_IDS
    if is_by_ids:
        await forget(FORGET_FIRST_NAMED)
        gone = await forget(FORGET_FIRST_NAMES)
    else:
        gone = await forget(FORGET_FIRST)
    if not (await connection.execute(HAS_OUTCOMES, bound)).scalar_one():
        gone += await forget(FORGET_WORKED_NAMES) if is_by_ids else 0
        await forget(FORGET_NAMES)
        await forget(FORGET_PARTITIONS)
    return gone
