"""Claims partitions of upgrades for a worker, and releases them.

A worker holds a lease on each partition that it runs. When the lease expires, because the worker died or was
suspended, another worker may claim the partition and resumes it at its cursor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from uplift.domain.clock import Clock, utc_now
from uplift.domain.model.chunk import ChunkPolicy, ChunkResult
from uplift.domain.model.upgrade import Lease, Partition, Tally, Upgrade, UpgradeId, UpgradeState
from uplift.domain.ports import LockedPartition, LockedUpgrade, Store, Transaction
from uplift.domain.rules.comparer import IN_PROCESS, Comparer
from uplift.domain.rules.joining import JoinPolicy, Trial, Trials, rate_of
from uplift.domain.use_cases.orders import completed

PASSED_OVER_AT_MOST = 100
"""How many upgrades a worker passes over in one claim, each after a short transaction, before it gives up."""

OnChunk = Callable[[ChunkResult, timedelta], None]
"""Receives the result of each committed chunk, and the duration of its transaction."""


def ignore_chunk(_: ChunkResult, __: timedelta) -> None:
    """Do nothing; the default of `Worker.on_chunk`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker with a unique name. A program may run several, each with a name of its own."""

    name: str
    chunk_policy: ChunkPolicy = field(default_factory=ChunkPolicy)
    lease_for: timedelta = timedelta(seconds=10)
    clock: Clock = utc_now
    on_chunk: OnChunk = ignore_chunk
    comparer: Comparer = IN_PROCESS
    join_policy: JoinPolicy = field(default_factory=JoinPolicy)
    trials: Trials = field(default_factory=Trials, repr=False, compare=False)
    """The trials of all workers of a program: its workers are copies of one."""

    def lease(self) -> Lease:
        """A new lease that starts now."""
        return Lease(worker=self.name, until=self.clock() + self.lease_for)


async def claim(store: Store, worker: Worker, *, only: UpgradeId | None = None) -> Upgrade | None:
    """Claim a partition of the next upgrade, or of the upgrade `only`. None if there is nothing to claim.

    A worker may claim the partitions of a QUEUED upgrade, and those of a RUNNING one whose lease was given
    back or has expired, unless another upgrade of the same process is being run. Upgrades that have no worker
    yet, or lost theirs, come first; then upgrades that a worker left in favour of one of those; then upgrades
    that other workers are running. In each group the oldest comes first. A partition larger than
    `ChunkPolicy.partition_size` is split, and its first part claimed.

    An upgrade whose free partitions are all locked is passed over, and so are the others of its process: the
    transaction that holds the lock may still commit a chunk of it. So is one that would not become faster by
    a further worker (see `JoinPolicy`).

    Last, a RUNNING upgrade of which no partition and no order is left is completed, not claimed: on several
    servers, each of the workers that ended its last partitions may have seen the partition of the other.
    """
    passed_over: set[UpgradeId] = set()
    while len(passed_over) < PASSED_OVER_AT_MOST:
        # This read takes no lock, and most polls of an idle worker end here.
        found = await store.upgrades.claimable(worker.clock(), only=only, passing_over=passed_over)
        if found is None:
            return None
        others = await _others(store, worker, found)
        if _may_join(worker, found, others):
            if (claimed := await _claim(store, worker, found.id)) is not None:
                if len(others) >= worker.join_policy.unmeasured:
                    _begin_trial(worker, found, others)
                return claimed
            if await _complete(store, worker, found.id):
                continue
        # Another worker has claimed it since, or a program was suspended in a chunk of it: its lease has
        # expired, but its transaction still locks the partition. So another upgrade is next.
        passed_over.add(found.id)
    return None


async def claim_next_partition(store: Store, upgrade: Upgrade, worker: Worker) -> bool:
    """Claim another partition of an upgrade. False if none is free, or another upgrade is next.

    Another upgrade is next if `claim` would claim it before this one: it comes first, the worker may join it
    (see `JoinPolicy`), and a partition of it is free and not locked.
    """
    passed_over: set[UpgradeId] = set()
    while len(passed_over) < PASSED_OVER_AT_MOST:
        found = await store.upgrades.claimable(worker.clock(), passing_over=passed_over)
        if found is None:
            return False
        if found.id == upgrade.id:
            return await _claim(store, worker, upgrade.id) is not None
        # If the worker left for an upgrade that it may not join, it would only claim this one again.
        others = await _others(store, worker, found)
        if _may_join(worker, found, others) and await _can_claim(store, worker, found.id):
            return False
        passed_over.add(found.id)
    return False


async def should_leave(store: Store, upgrade: Upgrade, worker: Worker) -> bool:
    """Whether a worker that joined others has not made the upgrade faster. Call it after each chunk.

    Ends the trial of the worker as soon as the answer is known.
    """
    trial = worker.trials.find(upgrade.id, worker.name)
    has_helped = None if trial is None else trial.has_helped(upgrade)
    if trial is None or has_helped is None:
        return False
    # If one of the others has ended or died since, this worker takes its place.
    if has_helped or len(await _others(store, worker, upgrade)) < trial.others:
        worker.trials.end(upgrade.id, worker.name)
        return False
    worker.trials.fail(upgrade.id, worker.name)
    return True


async def release(store: Store, upgrade: Upgrade, worker: Worker) -> Upgrade:
    """Give back the lease of the worker. The upgrade is QUEUED again unless other workers have leases.

    It stays RUNNING even if these leases have expired: it has a free partition, so any worker may claim it.
    """
    async with store.transaction() as transaction:
        locked = await lock_upgrade(transaction, upgrade)
        held = await transaction.partitions.lock_held(upgrade.id, worker.name, worker.clock())
        if held is None:
            return locked.upgrade
        others = [
            partition for partition in await locked.remaining() if partition.last != held.partition.last
        ]
        # An expired lease may belong to a suspended program that still locks its partition. `stop` would wait
        # for that lock, and a QUEUED upgrade has no leases, which the program may renew.
        if any(partition.lease is not None for partition in others):
            await held.save(replace(held.partition, lease=None))
            return locked.upgrade
        queued = replace(await locked.stop(), state=UpgradeState.QUEUED)
        await locked.save(queued)
        return queued


async def end_partition(store: Store, upgrade: Upgrade, worker: Worker) -> Upgrade:
    """End the partition whose last chunk the worker has committed. Ends the upgrade with its last partition.

    Does nothing if the worker no longer holds the partition: the next worker that claims it ends it.
    """
    async with store.transaction(in_background=True) as transaction:
        # Workers end their partitions under the lock of the upgrade, so exactly one of them ends the upgrade.
        locked = await lock_upgrade(transaction, upgrade)
        held = await transaction.partitions.lock_held(upgrade.id, worker.name, worker.clock())
        if held is None:
            return locked.upgrade
        await held.end()
        ended = await completed(locked, locked.upgrade, worker.clock)
        if ended.is_finished:
            await locked.save(ended)
        return ended


async def fail_upgrade(store: Store, upgrade: Upgrade, worker: Worker, error: str) -> Upgrade | None:
    """Set a running upgrade to FAILED after an internal error. None if the worker no longer holds it."""
    async with store.transaction() as transaction:
        locked = await lock_upgrade(transaction, upgrade)
        held = await transaction.partitions.lock_held(upgrade.id, worker.name, worker.clock())
        if held is None:
            return None
        failed = (await locked.stop()).finished(UpgradeState.FAILED, worker.clock(), error=error)
        await locked.save(failed)
        return failed


async def lock_upgrade(transaction: Transaction, upgrade: Upgrade) -> LockedUpgrade:
    """Lock an upgrade that exists, and read its present state."""
    locked = await transaction.upgrades.lock(upgrade.id)
    assert locked is not None, "upgrades are never deleted"
    return locked


async def _others(store: Store, worker: Worker, upgrade: Upgrade) -> list[Partition]:
    """The partitions of an upgrade that other workers run; none if workers take whole upgrades."""
    if worker.chunk_policy.partition_size is None or upgrade.state is UpgradeState.QUEUED:
        return []
    now = worker.clock()
    remaining = (await store.partitions.remaining([upgrade.id]))[upgrade.id]
    return [
        partition
        for partition in remaining
        if partition.lease is not None
        and partition.lease.worker != worker.name
        and partition.is_worked_on(now)
    ]


def _may_join(worker: Worker, upgrade: Upgrade, others: Sequence[Partition]) -> bool:
    return worker.join_policy.allows(upgrade, others) and not worker.trials.forbids(
        upgrade.id, others=len(others)
    )


def _begin_trial(worker: Worker, upgrade: Upgrade, others: Sequence[Partition]) -> None:
    trial = Trial(worker.join_policy, worker=worker.name, others=len(others), rate=rate_of(others))
    worker.trials.begin(upgrade.id, trial)


async def _can_claim(store: Store, worker: Worker, upgrade_id: UpgradeId) -> bool:
    """Whether an upgrade has a partition that is free, and that no transaction locks."""
    async with store.transaction() as transaction:
        return await transaction.upgrades.lock_claimable(upgrade_id, worker.clock()) is not None


async def _claim(store: Store, worker: Worker, upgrade_id: UpgradeId) -> Upgrade | None:
    async with store.transaction() as transaction:
        found = await transaction.upgrades.lock_claimable(upgrade_id, worker.clock())
        if found is None:
            return None
        locked, partition = found
        await _take(partition, worker)
        upgrade = locked.upgrade
        claimed = replace(
            upgrade, state=UpgradeState.RUNNING, started_at=upgrade.started_at or worker.clock()
        )
        if claimed != upgrade:
            await locked.save(claimed)
        return claimed


async def _complete(store: Store, worker: Worker, upgrade_id: UpgradeId) -> bool:
    """Complete a RUNNING upgrade of which nothing is left. False if it is another one."""
    async with store.transaction() as transaction:
        locked = await transaction.upgrades.lock(upgrade_id)
        # A QUEUED upgrade has partitions, even if not all servers show them yet.
        if locked is None or locked.upgrade.state is not UpgradeState.RUNNING:
            return False
        ended = await completed(locked, locked.upgrade, worker.clock)
        if not ended.is_finished:
            return False
        await locked.save(ended)
        return True


async def _take(locked: LockedPartition, worker: Worker) -> None:
    """Lease the partition, or split off its first part and lease that."""
    # The end position `last` identifies a stored partition. The remainder keeps it, so it is saved in place
    # with the tally so far, and the first part is added as a new partition.
    partition, partition_size = locked.partition, worker.chunk_policy.partition_size
    last = partition.last if partition_size is None else await locked.chunks.end_of(partition_size)
    if last == partition.last:
        await locked.save(replace(partition, lease=worker.lease()))
    else:
        await locked.save(replace(partition, cursor=last, lease=None))
        await locked.add(replace(partition, last=last, lease=worker.lease(), tally=Tally()))
