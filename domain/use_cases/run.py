"""How is an upgrade worked off: record a chunk, decide its cohorts, move them as a set, go on?

A worker takes a partition of the upgrade's selection, and works it off chunk by chunk, while others may do
the same with theirs. Each chunk is one transaction: outcomes, instances, cursor and counts change together. A
program that dies in the middle leaves a partition that the next worker takes up at its cursor, each instance
moved exactly once. A worker holds a lease on its partition that every chunk checks and renews in its own
transaction: one that has lost it (it was stopped for too long) writes nothing more.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from uplift.domain.clock import Clock, utc_now
from uplift.domain.model.cohort import Cohort
from uplift.domain.model.decision import CountedDecision, Decision, Verdict
from uplift.domain.model.upgrade import Lease, Upgrade, UpgradeId, UpgradeState
from uplift.domain.ports import (
    Chunks,
    HeldPartition,
    LockedPartition,
    LockedUpgrade,
    RecordedChunk,
    Store,
    Transaction,
)
from uplift.domain.rules.eligibility import decide, decide_undo
from uplift.domain.rules.migration_path import MigrationPaths

INLINE_LIMIT = 10_000
"""Instances that are moved in the transaction of the request itself, at most."""

OnProgress = Callable[[Upgrade], None]
"""Is told of an upgrade after each chunk, when that is committed."""


def ignore_progress(_: Upgrade) -> None:
    """For callers who only want the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPolicy:
    """How large chunks are: large enough to be fast, small enough to keep other writers waiting briefly."""

    inline_limit: int = INLINE_LIMIT
    """The most instances of an upgrade that is not left to a worker."""
    initial_size: int = 2_500
    """Few, for a first chunk takes longer: there is much to decide, and each statement is a new one."""
    min_size: int = 500
    max_size: int = 200_000
    target_duration: timedelta = timedelta(milliseconds=50)
    """How long a chunk may hold the write lock."""
    pause: timedelta = timedelta(milliseconds=2)
    """Between two chunks, for writers in other programs; those in this one wait in line."""
    partition_size: int | None = None
    """Instances that a worker takes off a free partition at a time; None takes all of it.

    Workers share an upgrade where the store lets several write at once.
    """

    def __post_init__(self) -> None:
        if not 1 <= self.min_size <= self.max_size or min(self.inline_limit, self.initial_size) < 1:
            raise ValueError(f"Expected chunks of at least one instance, but got {self}.")
        if self.partition_size is not None and self.partition_size < 1:
            raise ValueError(f"Expected partitions of at least one instance, but got {self}.")

    def size_after(self, size: int, took: timedelta) -> int:
        """The size of the next chunk, when one of this size took so long; a step is at most twofold."""
        # Aiming below the target leaves room for chunks that are slower than the last.
        factor = 0.7 * self.target_duration / max(took, timedelta(microseconds=1))
        return min(self.max_size, max(self.min_size, round(size * min(2.0, max(0.5, factor)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneChunk:
    """What one chunk did: the upgrade after it, how many moved, and how many were skipped by which decision.

    `not_found` counts ids that no instance has. `decided` are all decisions that are known by then; `is_last`
    says that the chunk was the last of its partition.
    """

    upgrade: Upgrade
    upgraded: int
    skipped: tuple[CountedDecision, ...]
    not_found: int
    decided: Mapping[Cohort, Decision]
    is_last: bool


OnChunk = Callable[[DoneChunk, timedelta], None]
"""Is told of a chunk when it is committed, and how long its transaction took."""


def ignore_chunk(_: DoneChunk, __: timedelta) -> None:
    """For workers of whom nobody keeps count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Who works: a name that no other worker has, and how it does it."""

    name: str
    chunk_policy: ChunkPolicy = ChunkPolicy()
    lease_for: timedelta = timedelta(seconds=10)
    clock: Clock = utc_now
    on_chunk: OnChunk = ignore_chunk

    def lease(self) -> Lease:
        """A lease from now on."""
        return Lease(worker=self.name, until=self.clock() + self.lease_for)


async def claim(store: Store, worker: Worker, *, only: UpgradeId | None = None) -> Upgrade | None:
    """Take a partition of the oldest upgrade that has one to take, or of this one; None when there is none.

    Shares of a QUEUED upgrade are free, and those of a RUNNING one whose lease is given back or has run out,
    unless another upgrade of the process is being worked on. First come upgrades that wait for their first
    worker, or for one in place of a dead one; then those that were left for one of these; then those that
    others work on. A partition that is larger than the pace allows is divided, and its first part taken.
    """
    if await store.upgrades.claimable(worker.clock(), only=only) is None:
        return None
    return await _claim(store, worker, only)


async def _claim(store: Store, worker: Worker, only: UpgradeId | None) -> Upgrade | None:
    """As `claim`, when a look has shown that there is something to take."""
    async with store.transaction() as transaction:
        found = await transaction.upgrades.lock_claimable(worker.clock(), only=only)
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


async def run_upgrade(
    store: Store,
    upgrade: Upgrade,
    worker: Worker,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: OnProgress = ignore_progress,
) -> Upgrade:
    """Work a claimed upgrade off, one partition after the other, until it ended, was stopped or lost to
    others.

    Returns the upgrade as it is then. It may be left to others as well when no partition of it is free, or
    another upgrade comes first (see `claim`). When `should_stop` says so, the lease is given back between two
    chunks, and the upgrade is QUEUED again unless others work on it.
    """
    size = worker.chunk_policy.initial_size
    decided: Mapping[Cohort, Decision] | None = None
    while True:
        if should_stop():
            return await _give_back(store, upgrade, worker)
        try:
            async with store.transaction(in_background=True) as transaction:
                began = time.perf_counter()
                held = await _held(transaction, upgrade, worker)
                if held is None:
                    upgrade, done = (await _lock(transaction, upgrade)).upgrade, None
                else:
                    if decided is None:
                        decided = _by_cohort(await held.chunks.decisions())
                    done = await run_chunk(transaction, held, size, worker, decided)
        except _NoLongerRunsError:
            continue  # which the next look shows
        if done is not None:
            upgrade, took = done.upgrade, timedelta(seconds=time.perf_counter() - began)
            decided = done.decided
            if not done.is_last:  # it may have been a small one
                size = worker.chunk_policy.size_after(size, took)
            worker.on_chunk(done, took)
        on_progress(upgrade)
        if done is None or upgrade.is_finished:
            return upgrade
        if done.is_last and not await _takes_another(store, upgrade, worker):
            return upgrade
        await asyncio.sleep(worker.chunk_policy.pause.total_seconds())


async def run_chunk(
    transaction: Transaction,
    held: HeldPartition,
    size: int,
    worker: Worker,
    decided: Mapping[Cohort, Decision],
) -> DoneChunk:
    """Record, decide and carry out the next chunk of a partition within this transaction.

    `decided` holds decisions that are kept, if possible all. What is returned is true when the transaction is
    committed.

    Others may work on other partitions meanwhile: the upgrade, which all of them change, is asked for as late
    as can be. Raises when it is no longer RUNNING by then; so nothing moves once a pause has been answered.
    """
    began = time.perf_counter()
    chunk = await held.chunks.record(size, _upgrades(decided.values()))
    locked = await _lock(transaction, held.upgrade)
    if locked.upgrade.state is not UpgradeState.RUNNING:
        raise _NoLongerRunsError
    if any(one.cohort not in decided for one in chunk.unmoved):
        # What another worker has decided meanwhile holds for all.
        decided = {**decided, **_by_cohort(await held.chunks.decisions())}
    done = await resolve_chunk(transaction, locked.upgrade, held.chunks, chunk, decided)
    # What several do at the same time counts once: so the rate is that of all of them together.
    upgrade = done.upgrade.worked_for(timedelta(seconds=time.perf_counter() - began) / held.workers)
    if not chunk.is_last:
        await held.save(replace(held.partition, cursor=chunk.cursor, lease=worker.lease()))
    else:
        await held.end()
        if not await locked.remaining():
            upgrade = upgrade.finished(UpgradeState.COMPLETED, worker.clock())
    await locked.save(upgrade)
    return replace(done, upgrade=upgrade)


async def resolve_chunk(
    transaction: Transaction,
    upgrade: Upgrade,
    chunks: Chunks,
    chunk: RecordedChunk,
    decided: Mapping[Cohort, Decision],
) -> DoneChunk:
    """Decide and carry out what `decided` does not settle of a recorded chunk; the upgrade is not yet saved.

    Nearly all instances are in cohorts that an earlier chunk met, and have moved at once: which cohorts the
    others are in is asked only when there are others.
    """
    unknown = [one.cohort for one in chunk.unmoved if one.cohort not in decided]
    known = {**decided, **_by_cohort(await _decide(transaction, upgrade, unknown))}
    counted = [CountedDecision(decision=known[one.cohort], count=one.count) for one in chunk.unmoved]
    await chunks.keep_decisions(counted)
    left = _upgrades(one.decision for one in counted)
    moved = chunk.moved + (await chunks.move(chunk, left) if left else 0)
    skips = tuple(one for one in counted if one.decision.verdict is Verdict.SKIP)
    skipped = sum(one.count for one in skips)
    must_account_for_all(recorded=chunk.recorded, moved=moved, skipped=skipped)
    return DoneChunk(
        upgrade=upgrade.counting(upgraded=moved, skipped=skipped + chunk.not_found),
        upgraded=moved,
        skipped=skips,
        not_found=chunk.not_found,
        decided=known,
        is_last=chunk.is_last,
    )


async def fail(store: Store, upgrade: Upgrade, worker: Worker, error: str) -> Upgrade | None:
    """Stop a claimed upgrade for good, because of an error of ours; None if it has nothing of it any more."""
    async with store.transaction() as transaction:
        held = await transaction.partitions.lock_held(upgrade.id, worker.name, worker.clock())
        locked = await _lock(transaction, upgrade)
        if held is None or locked.upgrade.state is not UpgradeState.RUNNING:
            return None
        await held.save(replace(held.partition, lease=None))
        failed = locked.upgrade.finished(UpgradeState.FAILED, worker.clock(), error=error)
        await locked.save(failed)
        return failed


def must_account_for_all(*, recorded: int, moved: int, skipped: int) -> None:
    """Stop when the store did something else than it recorded: the audit would not tell the truth."""
    if moved + skipped != recorded:
        raise RuntimeError(
            f"Expected each of the {recorded} recorded instances to be moved or skipped, "
            f"but {moved} moved and {skipped} were skipped."
        )


def migration_paths_of(upgrade: Upgrade, transaction: Transaction) -> MigrationPaths:
    """The ways to the target version of an upgrade that has one."""
    assert upgrade.target_version is not None, "only an undo has no target version"
    return MigrationPaths(
        process=upgrade.process,
        target=upgrade.target_version,
        mappings=upgrade.mappings,
        documents=transaction.processes,
    )


def _by_cohort(decisions: Iterable[Decision]) -> dict[Cohort, Decision]:
    return {decision.cohort: decision for decision in decisions}


def _upgrades(decisions: Iterable[Decision]) -> list[Decision]:
    return [one for one in decisions if one.verdict is Verdict.UPGRADE]


async def _decide(
    transaction: Transaction, upgrade: Upgrade, cohorts: Sequence[Cohort]
) -> tuple[Decision, ...]:
    if upgrade.target_version is None:
        return tuple(decide_undo(cohort, cohort.origin) for cohort in cohorts if cohort.origin is not None)
    migration_paths = migration_paths_of(upgrade, transaction)
    return tuple([decide(cohort, await migration_paths.find(cohort.version)) for cohort in cohorts])


async def _take(locked: LockedPartition, worker: Worker) -> None:
    partition, partition_size = locked.partition, worker.chunk_policy.partition_size
    last = partition.last if partition_size is None else await locked.chunks.end(partition_size)
    if last == partition.last:
        await locked.save(replace(partition, lease=worker.lease()))
    else:
        await locked.save(replace(partition, cursor=last, lease=None))
        await locked.add(replace(partition, last=last, lease=worker.lease()))


async def _takes_another(store: Store, upgrade: Upgrade, worker: Worker) -> bool:
    """Whether the worker took another partition of the upgrade."""
    first = await store.upgrades.claimable(worker.clock())
    is_next = first is not None and first.id == upgrade.id
    return is_next and await _claim(store, worker, upgrade.id) is not None


async def _held(transaction: Transaction, upgrade: Upgrade, worker: Worker) -> HeldPartition | None:
    """What the worker holds of an upgrade that runs. What it holds of any other is given back."""
    held = await transaction.partitions.lock_held(upgrade.id, worker.name, worker.clock())
    if held is None or held.upgrade.state is UpgradeState.RUNNING:
        return held
    await held.save(replace(held.partition, lease=None))
    return None


async def _give_back(store: Store, upgrade: Upgrade, worker: Worker) -> Upgrade:
    async with store.transaction() as transaction:
        held = await transaction.partitions.lock_held(upgrade.id, worker.name, worker.clock())
        locked = await _lock(transaction, upgrade)
        if held is None:
            return locked.upgrade
        await held.save(replace(held.partition, lease=None))
        now = worker.clock()
        others_work = any(partition.is_worked_on(now) for partition in await locked.remaining())
        if others_work or locked.upgrade.state is not UpgradeState.RUNNING:
            return locked.upgrade
        queued = replace(locked.upgrade, state=UpgradeState.QUEUED)
        await locked.save(queued)
        return queued


async def _lock(transaction: Transaction, upgrade: Upgrade) -> LockedUpgrade:
    locked = await transaction.upgrades.lock(upgrade.id)
    assert locked is not None, "upgrades are never deleted"
    return locked


class _NoLongerRunsError(Exception):
    """The upgrade was paused or ended while a chunk of it was under way."""
