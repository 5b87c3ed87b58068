"""Runs a claimed upgrade chunk by chunk: records instances, decides their cohorts, and moves them as a set.

Each chunk is one transaction that changes outcomes, instances, counts, and the cursor and lease of the
partition together. If a program dies, the next worker resumes the partition at its cursor, and every instance
moves exactly once. Each chunk checks and renews the lease, so a worker that lost its lease writes nothing.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from uplift.domain.model.chunk import ChunkResult
from uplift.domain.model.cohort import Cohort
from uplift.domain.model.decision import CountedDecision, Decision, Verdict
from uplift.domain.model.upgrade import Upgrade, UpgradeState
from uplift.domain.ports import Chunks, HeldPartition, RecordedChunk, Store, Transaction
from uplift.domain.rules.eligibility import decide, decide_undo
from uplift.domain.rules.migration_path import KnownPaths, MigrationPaths, NotComparedYetError
from uplift.domain.use_cases.orders import completed
from uplift.domain.use_cases.worker import (
    Worker,
    claim_next_partition,
    lock_held_partition,
    lock_upgrade,
    release,
)

OnProgress = Callable[[Upgrade], None]
"""Receives the upgrade after each committed chunk."""


def ignore_progress(_: Upgrade) -> None:
    """Do nothing; for callers who need only the result."""


async def run_upgrade(
    store: Store,
    upgrade: Upgrade,
    worker: Worker,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: OnProgress = ignore_progress,
) -> Upgrade:
    """Run the partitions of a claimed upgrade until it ends, is stopped, or has no free partition.

    Returns the upgrade as it is then, which may still be RUNNING: other workers may hold the other
    partitions, this worker may have lost its lease, or another upgrade may be next (see `claim`). If
    `should_stop` returns True, the worker releases its partition between two chunks (see `release`).
    """
    size = worker.chunk_policy.initial_size
    # Decisions are passed from chunk to chunk: one decision holds for a whole cohort, so most chunks need no
    # new one and can move their instances by the statement that records them.
    decisions: Mapping[Cohort, Decision] | None = None
    known: KnownPaths = {}
    while True:
        if should_stop():
            return await release(store, upgrade, worker)
        try:
            async with store.transaction(in_background=True) as transaction:
                started = time.perf_counter()
                # The commit of the last chunk released the lock on the partition, and another worker may have
                # claimed it since, so each chunk checks the lease again.
                held = await lock_held_partition(transaction, upgrade, worker)
                if held is None:
                    upgrade, result = (await lock_upgrade(transaction, upgrade)).upgrade, None
                else:
                    if decisions is None:
                        # Other workers, or an earlier run of this upgrade, may have decided cohorts already.
                        decisions = _by_cohort(await held.chunks.decisions())
                    result = await run_chunk(transaction, held, size, worker, decisions, known)
        except _NotRunningError:
            continue  # The chunk is rolled back. The next iteration reads the new state and stops.
        except NotComparedYetError as missing:
            await missing.compare(store.processes)
            continue
        if result is not None:
            upgrade, duration = result.upgrade, timedelta(seconds=time.perf_counter() - started)
            decisions = result.decisions
            # The last chunk of a partition may be small, so its duration says nothing about the size.
            if not result.is_last:
                size = worker.chunk_policy.size_after(size, duration)
            worker.on_chunk(result, duration)
        on_progress(upgrade)
        if result is None or upgrade.is_finished:
            return upgrade
        if result.is_last and not await claim_next_partition(store, upgrade, worker):
            return upgrade
        await asyncio.sleep(worker.chunk_policy.pause.total_seconds())


async def run_chunk(
    transaction: Transaction,
    held: HeldPartition,
    size: int,
    worker: Worker,
    decisions: Mapping[Cohort, Decision],
    known: KnownPaths,
) -> ChunkResult:
    """Record, decide and move the next chunk of a partition in this transaction.

    `decisions` holds stored decisions, ideally all of them, and `known` the migration paths found so far.
    Raises an error if the upgrade is no longer RUNNING, so that nothing moves after a pause or a cancellation
    has been answered. Raises NotComparedYetError.
    """
    started = time.perf_counter()
    # Lock order: the partition (see lock_held_partition), the instances, then the upgrade. All workers of an
    # upgrade change its row, so it is locked as late as possible and they rarely wait for each other.
    # A linked engine moves the instances of a linked upgrade, so nothing moves here.
    moving = _upgrading(decisions.values()) if held.upgrade.link is None else ()
    chunk = await held.chunks.record_and_move(size, moving)
    locked = await lock_upgrade(transaction, held.upgrade)
    # An operator may have paused or cancelled the upgrade while the chunk recorded its instances. The state
    # is only certain under the lock, and the error rolls back what the chunk has written.
    if locked.upgrade.state is not UpgradeState.RUNNING:
        raise _NotRunningError
    if any(unmoved.cohort not in decisions for unmoved in chunk.unmoved):
        # Another worker may have decided these cohorts since. Its stored decisions hold for all workers.
        decisions = {**decisions, **_by_cohort(await held.chunks.decisions())}
    paths = migration_paths_of(locked.upgrade, transaction, worker, known)
    result = await resolve_chunk(locked.upgrade, held.chunks, chunk, decisions, paths)
    # Parallel work counts once, so that `Upgrade.rate` is the rate of all workers together.
    elapsed = timedelta(seconds=time.perf_counter() - started)
    upgrade = result.upgrade.with_work_time(elapsed / held.workers)
    if not chunk.is_last:
        await held.save(replace(held.partition, cursor=chunk.cursor, lease=worker.lease()))
    else:
        await held.delete()
        # Workers end their partitions under the lock of the upgrade, so exactly one of them ends the upgrade.
        upgrade = await completed(locked, upgrade, worker.clock)
    await locked.save(upgrade)
    return replace(result, upgrade=upgrade)


async def resolve_chunk(
    upgrade: Upgrade,
    chunks: Chunks,
    chunk: RecordedChunk,
    decisions: Mapping[Cohort, Decision],
    paths: MigrationPaths | None,
) -> ChunkResult:
    """Decide the cohorts of a recorded chunk that are not in `decisions`, and act on their instances.

    Each instance is moved, ordered from a linked engine, or skipped. Recording has moved those whose cohorts
    were decided before, which are nearly all of them, unless the upgrade is linked. The returned upgrade has
    the new counts, and is not saved yet. Raises NotComparedYetError.
    """
    new_cohorts = [unmoved.cohort for unmoved in chunk.unmoved if unmoved.cohort not in decisions]
    decisions = {**decisions, **_by_cohort(await _decide(new_cohorts, paths))}
    counted = [
        CountedDecision(decision=decisions[unmoved.cohort], count=unmoved.count) for unmoved in chunk.unmoved
    ]
    # A store may move instances by the decisions that it keeps, so they are kept before the move.
    await chunks.keep_decisions(counted)
    upgrading = _upgrading(item.decision for item in counted)
    moved, ordered = chunk.moved, 0
    if upgrading and upgrade.link is not None:
        ordered = await chunks.order(chunk)
    elif upgrading:
        moved += await chunks.move_rest(chunk, upgrading)
    skips = tuple(item for item in counted if item.decision.verdict is Verdict.SKIP)
    skipped = sum(skip.count for skip in skips)
    require_complete(recorded=chunk.recorded, moved=moved, ordered=ordered, skipped=skipped)
    return ChunkResult(
        upgrade=upgrade.with_outcomes(upgraded=moved, skipped=skipped + chunk.not_found, ordered=ordered),
        upgraded=moved,
        ordered=ordered,
        skipped=skips,
        not_found=chunk.not_found,
        decisions=decisions,
        is_last=chunk.is_last,
    )


def require_complete(*, recorded: int, moved: int, ordered: int = 0, skipped: int) -> None:
    """Raise RuntimeError unless every recorded instance was moved, ordered or skipped.

    Otherwise the audit would be wrong, so the transaction of the chunk must roll back.
    """
    if moved + ordered + skipped != recorded:
        raise RuntimeError(
            f"Expected each of the {recorded} recorded instances to be moved, ordered or skipped, "
            f"but {moved} moved, {ordered} were ordered and {skipped} were skipped."
        )


def migration_paths_of(
    upgrade: Upgrade, transaction: Transaction, worker: Worker, known: KnownPaths
) -> MigrationPaths | None:
    """The migration paths to the target version of an upgrade; None for an undo, which has none."""
    if upgrade.target_version is None:
        return None
    return MigrationPaths(
        process=upgrade.process,
        target=upgrade.target_version,
        mappings=upgrade.mappings,
        documents=transaction.processes,
        comparer=worker.comparer,
        in_transaction=True,
        known=known,
    )


def _by_cohort(decisions: Iterable[Decision]) -> dict[Cohort, Decision]:
    return {decision.cohort: decision for decision in decisions}


def _upgrading(decisions: Iterable[Decision]) -> list[Decision]:
    return [decision for decision in decisions if decision.verdict is Verdict.UPGRADE]


async def _decide(cohorts: Sequence[Cohort], paths: MigrationPaths | None) -> tuple[Decision, ...]:
    if paths is None:
        return tuple(decide_undo(cohort, cohort.origin) for cohort in cohorts if cohort.origin is not None)
    by_version = await paths.find_for(cohorts)
    return tuple(decide(cohort, by_version[cohort.version]) for cohort in cohorts)


class _NotRunningError(Exception):
    """The upgrade was paused or ended while a chunk of it ran."""
