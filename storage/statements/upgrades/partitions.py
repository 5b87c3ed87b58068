"""Reads partitions, and finds and locks the partition that a worker claims."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import BindParameter, Integer, Select, bindparam, exists, func, or_, select, update

from uplift.domain.model.selection import LISTED, UpgradeId, UpgradeSelection
from uplift.domain.model.upgrade import Lease, Partition, Upgrade, UpgradeState
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import lock_subject
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import IS_WAITING, instance, outcome, partition, upgrade
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.sqlite.prepared import RUN_INLINE
from uplift.storage.statements.links.orders import awaiting_process
from uplift.storage.statements.outcomes.tallies import COUNTS, take_over, tally_in
from uplift.storage.statements.upgrades.upgrades import UPGRADE_COLUMNS, keys_of, lock_upgrade, upgrades_of

other = upgrade.alias("other")
other_partition = partition.alias("other_partition")
passed_over = upgrade.alias("passed_over")
NOW: BindParameter[datetime] = bindparam("now")
OTHERS = (
    select(func.count())
    .where(
        other_partition.c.upgrade_id == partition.c.upgrade_id,
        other_partition.c.last_key != partition.c.last_key,
        other_partition.c.lease_until >= NOW,
    )
    .scalar_subquery()
    .label("others")
)
TALLY_COLUMNS = tuple(f"partition_{name}" for name in COUNTS)
PARTITION_COLUMNS = (
    partition.c.last_key,
    partition.c.cursor,
    partition.c.lease_worker,
    partition.c.lease_until,
    *(partition.c[name].label(label) for name, label in zip(COUNTS, TALLY_COLUMNS, strict=True)),
)
WITH_UPGRADE = select(*UPGRADE_COLUMNS, *PARTITION_COLUMNS).join_from(
    partition, upgrade, upgrade.c.id == partition.c.upgrade_id
)
WORKED_ON = (
    select(other.c.id)
    .join(other_partition, other_partition.c.upgrade_id == other.c.id)
    .where(
        other.c.process_id == upgrade.c.process_id,
        other.c.state == UpgradeState.RUNNING,
        other_partition.c.lease_until >= NOW,
    )
)
WORKED_ON_PROCESS = (
    select(other.c.id)
    .join(other_partition, other_partition.c.upgrade_id == other.c.id)
    .where(
        other.c.process_id == bindparam("process_id", type_=Integer),
        other.c.state == UpgradeState.RUNNING,
        other_partition.c.lease_until >= NOW,
    )
)
IS_QUEUED = upgrade.c.state == UpgradeState.QUEUED
IS_RUNNING = upgrade.c.state == UpgradeState.RUNNING
IS_FREE = or_(partition.c.lease_until.is_(None), partition.c.lease_until < NOW)
AWAITED = awaiting_process(upgrade.c.process_id, not_of=upgrade.c.id)
CLAIMABLE = tuple(
    WITH_UPGRADE.where(IS_WAITING, condition, ~AWAITED.exists())
    .order_by(upgrade.c.id, partition.c.last_key)
    .limit(1)
    # Three statements, because each finds its first row by an index: one OR would scan all that wait.
    for condition in (
        (IS_QUEUED | (partition.c.lease_until < NOW)) & ~WORKED_ON.exists(),
        IS_RUNNING & partition.c.lease_until.is_(None) & ~WORKED_ON.exists(),
        IS_RUNNING & IS_FREE & WORKED_ON.where(other.c.id == upgrade.c.id).exists(),
    )
)
"""Run in this order until one has a row; in each, the oldest upgrade comes first.

1. An upgrade that waits for its first worker, or a partition whose lease ran out.
2. A partition that a worker released in favour of another upgrade.
3. A free partition of an upgrade that other workers run.

An upgrade that waits for a linked engine has no partition, so it occupies no worker. It holds up other
upgrades of its own process, which could order the same instances, and no others.
"""
COMPLETABLE = (
    select(*UPGRADE_COLUMNS)
    .where(
        IS_WAITING,
        IS_RUNNING,
        upgrade.c.ordered == 0,
        upgrade.c.sent == 0,
        ~exists().where(partition.c.upgrade_id == upgrade.c.id),
    )
    .order_by(upgrade.c.id)
    .limit(1)
)
"""A RUNNING upgrade of which no partition and no order is left. Nobody completes it but a claim."""
IS_PASSED_OVER = upgrade.c.process_id.in_(
    select(passed_over.c.process_id).where(passed_over.c.uuid.in_(bindparam("passing_over", expanding=True)))
)
IS_OF_UPGRADE = partition.c.upgrade_id == bindparam("of_upgrade")
IS_THIS_PARTITION = IS_OF_UPGRADE & (partition.c.last_key == bindparam("of_last"))
FREE_PARTITION = (
    select(*PARTITION_COLUMNS)
    .join_from(partition, upgrade, upgrade.c.id == partition.c.upgrade_id)
    .where(
        IS_OF_UPGRADE,
        IS_WAITING,
        IS_FREE,
        ~WORKED_ON.where(other.c.id != upgrade.c.id).exists(),
        ~AWAITED.exists(),
    )
    .order_by(partition.c.last_key)
    .limit(1)
    .with_for_update(of=partition, key_share=True, skip_locked=True)
)
"""Skips a partition whose lease ran out in the middle of a chunk, instead of waiting for the chunk."""
LOCK_PARTITIONS = select(partition.c.last_key).where(IS_OF_UPGRADE).with_for_update(key_share=True)
STOP_PARTITIONS = (
    update(partition)
    .where(IS_OF_UPGRADE)
    .values(lease_worker=None, lease_until=None, upgraded=0, skipped=0, ordered=0, worked=timedelta())
)
ORDERING = select(
    WORKED_ON_PROCESS.exists() | awaiting_process(bindparam("process_id", type_=Integer)).exists()
)
"""Whether an upgrade of a process is being run or waits for an engine."""
HELD = (
    WITH_UPGRADE.add_columns(OTHERS)
    .where(upgrade.c.uuid == bindparam("uuid"), partition.c.lease_worker == bindparam("worker"))
    .order_by(partition.c.last_key)
    .limit(1)
    .with_for_update(of=partition, key_share=True)
    .execution_options(**RUN_INLINE)
)
REMAINING = (
    select(*PARTITION_COLUMNS)
    .where(IS_OF_UPGRADE)
    .order_by(partition.c.last_key)
    .execution_options(**RUN_INLINE)
)
LAST_EARLIER = select(func.coalesce(func.max(outcome.c.instance_id), 0)).where(
    outcome.c.upgrade_id == bindparam("of_upgrade")
)
LAST_INSTANCE = select(func.coalesce(func.max(instance.c.id), 0)).where(
    instance.c.process_id == bindparam("of_process")
)


async def find_claimable(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    now: datetime,
    only: UpgradeId | None,
    passing_over: Collection[UpgradeId],
) -> Upgrade | None:
    """The upgrade of which a worker should claim a partition now, or that it should complete.

    With `only`, this upgrade or None.
    Passes over the upgrades `passing_over`, and all others of their processes.
    """
    bound = {"now": now, "uuid": only, "passing_over": list(passing_over)}
    for claimable in _claimable(of_one=only is not None, passes_over=bool(passing_over)):
        rows = (await connection.execute(claimable, bound)).all()
        if rows:
            (found,) = await upgrades_of(surrogate_keys, rows)
            return found
    return None


async def lock_claimable(
    connection: Connection, surrogate_keys: SurrogateKeys, upgrade_id: UpgradeId, now: datetime
) -> tuple[Upgrade, Partition, UpgradeKeys] | None:
    """Lock an upgrade and its first free partition. Skips partitions that other transactions have locked."""
    locked = await lock_upgrade(connection, surrogate_keys, upgrade_id)
    if locked is None:
        return None
    upgrade, upgrade_keys = locked
    # Keeps two transactions from claiming partitions of two upgrades of one process.
    await lock_subject(connection, "claim", str(upgrade_keys.process_id))
    # A new snapshot: other transactions may have committed while these statements waited.
    bound = {"now": now, "of_upgrade": upgrade_keys.id}
    row = (await connection.execute(FREE_PARTITION, bound)).one_or_none()
    return None if row is None else (upgrade, partition_in(row, upgrade_id), upgrade_keys)


async def stop_partitions(connection: Connection, upgrade_keys: UpgradeKeys) -> None:
    """Take away the leases of all partitions of a locked upgrade, which takes over their tallies.

    Waits for the chunks that are running. A chunk that waits for its partition looks at the lease again once
    this transaction has committed. No partition is added before, because that needs the lock of the upgrade.
    """
    bound = {"of_upgrade": upgrade_keys.id}
    if connection.dialect.name == "postgresql":
        await connection.execute(LOCK_PARTITIONS, bound)
    await take_over(connection, upgrade_keys)
    await connection.execute_later(STOP_PARTITIONS, bound)


async def lock_ordering(connection: Connection, process_id: int, now: datetime) -> bool:
    """Whether no other upgrade of a process is being run or waits for an engine."""
    # The same lock as that of a claim, so that no worker starts an upgrade of the process after this look.
    await lock_subject(connection, "claim", str(process_id))
    bound = {"process_id": process_id, "now": now}
    return not (await connection.execute(ORDERING, bound)).scalar_one()


async def lock_held(
    connection: Connection, surrogate_keys: SurrogateKeys, upgrade_id: UpgradeId, worker: str, now: datetime
) -> tuple[Upgrade, Partition, UpgradeKeys, int] | None:
    """Lock the first partition of an upgrade that is leased to this worker."""
    rows = (await connection.execute(HELD, {"uuid": upgrade_id, "worker": worker, "now": now})).all()
    if (found := await _first(surrogate_keys, rows)) is None:
        return None
    return *found, rows[0].others + 1


async def remaining_partitions(
    connection: Connection, upgrade_keys: UpgradeKeys, of: UpgradeId
) -> tuple[Partition, ...]:
    """The remaining partitions of an upgrade, in the order of its selection."""
    rows = await connection.execute(REMAINING, {"of_upgrade": upgrade_keys.id})
    return tuple(partition_in(row, of) for row in rows)


async def whole_partition(
    connection: Connection, upgrade_keys: UpgradeKeys, new: Upgrade, selection: UpgradeSelection
) -> Partition:
    """The partition that covers the whole selection of a new upgrade."""
    of = new.id
    if selection.kind in LISTED:
        # Those that a limit fixes are counted when they are added.
        return Partition(
            upgrade=of, cursor=0, last=new.expected if selection.size is None else selection.size
        )
    if selection.of is None:
        found = await connection.execute(LAST_INSTANCE, {"of_process": upgrade_keys.process_id})
    else:
        found = await connection.execute(LAST_EARLIER, {"of_upgrade": upgrade_keys.of_upgrade_id})
    return Partition(upgrade=of, cursor=0, last=found.scalar_one())


@cache
def _claimable(*, of_one: bool, passes_over: bool) -> tuple[Select[Any], ...]:
    """The statements of CLAIMABLE, then COMPLETABLE, with the conditions that this read needs."""
    conditions = [
        *([upgrade.c.uuid == bindparam("uuid")] if of_one else []),
        *([~IS_PASSED_OVER] if passes_over else []),
    ]
    return tuple(claimable.where(*conditions) for claimable in (*CLAIMABLE, COMPLETABLE))


async def _first(
    surrogate_keys: SurrogateKeys, rows: Sequence[Any]
) -> tuple[Upgrade, Partition, UpgradeKeys] | None:
    if not rows:
        return None
    (found,) = await upgrades_of(surrogate_keys, rows)
    return found, partition_in(rows[0], found.id), keys_of(rows[0])


def partition_in(row: Any, of: UpgradeId) -> Partition:
    """The partition in a row with PARTITION_COLUMNS."""
    lease = None if row.lease_worker is None else Lease(worker=row.lease_worker, until=row.lease_until)
    return Partition(
        upgrade=of, cursor=row.cursor, last=row.last_key, lease=lease, tally=tally_in(row, TALLY_COLUMNS)
    )
