"""Reads, locks and saves the partitions of upgrades, which lie in the bucket of their instances."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    BindParameter,
    Integer,
    any_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Lease, Partition, UpgradeState
from uplift.storage.sql.bucket_tables import BUCKET, partition, skip_count
from uplift.storage.sql.buckets import bucket_of_key, key_in, key_within
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import unnest_rows
from uplift.storage.sql.tables import IS_WAITING, decision, upgrade
from uplift.storage.sql.types import ID, TIME
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements.outcomes.tallies import COHORT, COUNTS, tally_in

MAX_RUNNING = 10_000
"""How many running upgrades a claim looks at."""
NOW: BindParameter[datetime] = bindparam("now", type_=TIME)
IDS = bindparam("ids", type_=ARRAY(Integer))
COLUMNS = (
    partition.c.bucket,
    partition.c.last_key,
    partition.c.cursor,
    partition.c.lease_worker,
    partition.c.lease_until,
    *(partition.c[name] for name in COUNTS),
)
REMAINING = (
    select(partition.c.upgrade_id, *COLUMNS)
    .where(partition.c.upgrade_id == any_(IDS))
    .order_by(partition.c.upgrade_id, partition.c.bucket, partition.c.last_key)
)
LEASES = (
    select(
        partition.c.upgrade_id,
        func.bool_or(partition.c.lease_until.is_(None)).label("has_free"),
        func.bool_or(partition.c.lease_until < NOW).label("has_expired"),
        func.bool_or(partition.c.lease_until >= NOW).label("is_worked_on"),
    )
    .where(partition.c.upgrade_id == any_(IDS))
    .group_by(partition.c.upgrade_id)
)
RUNNING = (
    select(upgrade.c.id, upgrade.c.uuid, upgrade.c.process_id, upgrade.c.ordered, upgrade.c.sent)
    .where(IS_WAITING, upgrade.c.state == UpgradeState.RUNNING)
    .order_by(upgrade.c.id)
    .limit(MAX_RUNNING)
)
OTHERS_RUNNING = select(upgrade.c.id).where(
    upgrade.c.process_id == bindparam("process_id"),
    upgrade.c.state == UpgradeState.RUNNING,
    upgrade.c.id != bindparam("of_upgrade"),
)
PROCESSES_PASSED_OVER = select(upgrade.c.process_id).where(
    upgrade.c.uuid == any_(bindparam("passing_over", type_=ARRAY(ID)))
)
NEXT_QUEUED = (
    select(upgrade.c.id, upgrade.c.uuid)
    .where(
        IS_WAITING,
        upgrade.c.state == UpgradeState.QUEUED,
        ~(upgrade.c.process_id == any_(bindparam("occupied", type_=ARRAY(Integer)))),
    )
    .order_by(upgrade.c.id)
    .limit(1)
)
IS_OF_UPGRADE = (partition.c.bucket == BUCKET) & (partition.c.upgrade_id == bindparam("of_upgrade"))
IS_THIS = IS_OF_UPGRADE & (partition.c.last_key == bindparam("of_last"))
IS_FREE = or_(partition.c.lease_until.is_(None), partition.c.lease_until < NOW)
THIS = select(*COLUMNS).where(IS_THIS)
LOCK_FREE = select(*COLUMNS).where(IS_THIS, IS_FREE).with_for_update(key_share=True, skip_locked=True)
LOCK_HELD = (
    select(*COLUMNS)
    .where(IS_THIS, partition.c.lease_worker == bindparam("worker"))
    .with_for_update(key_share=True)
)
LOCK_ALL = select(partition.c.last_key).where(IS_OF_UPGRADE).with_for_update(key_share=True)
STOP = (
    update(partition)
    .where(IS_OF_UPGRADE)
    .values(lease_worker=None, lease_until=None, upgraded=0, skipped=0, ordered=0, worked=timedelta())
)
ADD = insert(partition)
SAVE = (
    update(partition)
    .where(IS_THIS)
    .values({name: bindparam(f"new_{name}") for name in ("cursor", "lease_worker", "lease_until", *COUNTS)})
)
END = delete(partition).where(IS_THIS)
SKIPS_OF_BUCKET = (skip_count.c.bucket == BUCKET) & (skip_count.c.upgrade_id == bindparam("of_upgrade"))
SKIPS_OF_PARTITION = SKIPS_OF_BUCKET & (skip_count.c.last_key == bindparam("of_last"))
SKIPS = {
    is_whole: select(*(skip_count.c[name] for name in COHORT), skip_count.c.instances).where(is_taken)
    for is_whole, is_taken in ((True, SKIPS_OF_BUCKET), (False, SKIPS_OF_PARTITION))
}
DELETE_SKIPS = {
    is_whole: delete(skip_count).where(is_taken)
    for is_whole, is_taken in ((True, SKIPS_OF_BUCKET), (False, SKIPS_OF_PARTITION))
}
MORE = unnest_rows(decision, {name: f"more_{name}" for name in (*COHORT, "instances")})
ADD_SKIPS = (
    update(decision)
    .where(*(decision.c[name] == MORE.c[name] for name in COHORT))
    .values(instances=decision.c.instances + MORE.c.instances)
)
ADD_COUNTS = (
    update(upgrade)
    .where(upgrade.c.id == bindparam("of_upgrade"))
    .values(
        {name: upgrade.c[name] + bindparam(f"more_{name}", type_=upgrade.c[name].type) for name in COUNTS}
    )
)


async def partitions_of(connection: Connection, ids: Collection[int]) -> Sequence[Any]:
    """The rows of the partitions of upgrades, along their selections."""
    return (await connection.execute(REMAINING, {"ids": list(ids)})).all()


def partition_in(row: Any, of: UpgradeId) -> Partition:
    """The partition in a row with COLUMNS. Its keys name the bucket."""
    lease = None if row.lease_worker is None else Lease(worker=row.lease_worker, until=row.lease_until)
    return Partition(
        upgrade=of,
        cursor=key_in(row.bucket, row.cursor),
        last=key_in(row.bucket, row.last_key),
        lease=lease,
        tally=tally_in(row),
    )


def bound_to(upgrade_keys: UpgradeKeys, last: int) -> dict[str, int]:
    """The parameters of IS_THIS, for the partition with this end."""
    return {"of_upgrade": upgrade_keys.id, "of_bucket": bucket_of_key(last), "of_last": key_within(last)}


def values_of(partition: Partition) -> dict[str, Any]:
    """The columns of a partition that change."""
    return {
        "cursor": key_within(partition.cursor),
        "lease_worker": None if partition.lease is None else partition.lease.worker,
        "lease_until": None if partition.lease is None else partition.lease.until,
        **{name: getattr(partition.tally, name) for name in COUNTS},
    }


async def find_claimable(
    connection: Connection, now: datetime, only: UpgradeId | None, passing_over: Collection[UpgradeId]
) -> UpgradeId | None:
    """The upgrade of which a worker should claim a partition now, in the order of `worker.claim`.

    If there is none, a RUNNING upgrade of which no partition and no order is left, for it to complete.
    """
    passed_over = (
        set((await connection.execute(PROCESSES_PASSED_OVER, {"passing_over": list(passing_over)})).scalars())
        if passing_over
        else set()
    )
    running = (await connection.execute(RUNNING)).all()
    leases = {}
    if running:
        bound = {"ids": [row.id for row in running], "now": now}
        leases = {row.upgrade_id: row for row in await connection.execute(LEASES, bound)}
    occupied = {row.process_id for row in running if row.id in leases and leases[row.id].is_worked_on}
    possible = [row for row in running if only in (None, row.uuid) and row.process_id not in passed_over]
    offered = [(row, leases[row.id]) for row in possible if row.id in leases]
    waiting = [
        (row.id, row.uuid) for row, lease in offered if lease.has_expired and row.process_id not in occupied
    ]
    queued = NEXT_QUEUED if only is None else NEXT_QUEUED.where(upgrade.c.uuid == bindparam("only", type_=ID))
    bound = {"occupied": sorted(occupied | passed_over), "only": only}
    if (first := (await connection.execute(queued, bound)).one_or_none()) is not None:
        waiting.append((first.id, first.uuid))
    released = [row.uuid for row, lease in offered if lease.has_free and row.process_id not in occupied]
    shared = [
        row.uuid for row, lease in offered if lease.is_worked_on and (lease.has_free or lease.has_expired)
    ]
    completable = [row.uuid for row in possible if row.id not in leases and not row.ordered and not row.sent]
    chosen = [uuid for _, uuid in sorted(waiting)[:1]] + released + shared + completable
    return UpgradeId(chosen[0]) if chosen else None


async def lock_free(
    connection: Connection, upgrade_keys: UpgradeKeys, of: UpgradeId, now: datetime
) -> Partition | None:
    """Lock the first free partition of a locked upgrade, unless another upgrade of its process is run.

    Skips a partition that another transaction has locked.
    """
    bound = {"process_id": upgrade_keys.process_id, "of_upgrade": upgrade_keys.id}
    others = list((await connection.execute(OTHERS_RUNNING, bound)).scalars())
    if others:
        leases = (await connection.execute(LEASES, {"ids": others, "now": now})).all()
        if any(row.is_worked_on for row in leases):
            return None
    for row in await partitions_of(connection, [upgrade_keys.id]):
        if row.lease_until is None or row.lease_until < now:
            this = {**bound_to(upgrade_keys, key_in(row.bucket, row.last_key)), "now": now}
            if (locked := (await connection.execute(LOCK_FREE, this)).one_or_none()) is not None:
                return partition_in(locked, of)
    return None


async def stop_partitions(connection: Connection, upgrade_keys: UpgradeKeys) -> None:
    """Take away the leases of all partitions of a locked upgrade, which takes over their tallies.

    Waits for the chunks that are running, along the buckets. No partition is added before, because that
    needs the lock of the upgrade.
    """
    found = await partitions_of(connection, [upgrade_keys.id])
    buckets = sorted({row.bucket for row in found})
    for bucket in buckets:
        await connection.execute(LOCK_ALL, {"of_upgrade": upgrade_keys.id, "of_bucket": bucket})
    # Read again: the chunks that this transaction has waited for have counted more.
    await _add_counts(connection, upgrade_keys, await partitions_of(connection, [upgrade_keys.id]))
    for bucket in buckets:
        bound = {"of_upgrade": upgrade_keys.id, "of_bucket": bucket}
        await _take_skips(connection, bound, is_whole=True)
        await connection.execute(STOP, bound)


async def end_partition(connection: Connection, upgrade_keys: UpgradeKeys, last: int) -> None:
    """Delete a locked partition, whose tally the locked upgrade takes over."""
    bound = bound_to(upgrade_keys, last)
    # Read again: this transaction may have saved more since it locked the partition.
    await _add_counts(connection, upgrade_keys, (await connection.execute(THIS, bound)).all())
    await _take_skips(connection, bound, is_whole=False)
    await connection.execute(END, bound)


async def _add_counts(connection: Connection, upgrade_keys: UpgradeKeys, rows: Sequence[Any]) -> None:
    more = {
        "more_upgraded": sum(row.upgraded for row in rows),
        "more_skipped": sum(row.skipped for row in rows),
        "more_ordered": sum(row.ordered for row in rows),
        "more_worked": sum((row.worked for row in rows), timedelta()),
    }
    if any(more.values()):
        await connection.execute(ADD_COUNTS, {"of_upgrade": upgrade_keys.id, **more})


async def _take_skips(connection: Connection, bound: dict[str, int], *, is_whole: bool) -> None:
    """Add what partitions of a bucket skipped to the decisions."""
    skipped = (await connection.execute(SKIPS[is_whole], bound)).all()
    if not skipped:
        return
    summed: dict[tuple[Any, ...], int] = {}
    for row in skipped:
        cohort = tuple(getattr(row, name) for name in COHORT)
        summed[cohort] = summed.get(cohort, 0) + row.instances
    more = {f"more_{name}": [cohort[place] for cohort in summed] for place, name in enumerate(COHORT)}
    await connection.execute(ADD_SKIPS, {**more, "more_instances": list(summed.values())})
    await connection.execute(DELETE_SKIPS[is_whole], bound)
