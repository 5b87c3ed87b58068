"""Runs a claimed upgrade chunk by chunk: records instances, decides their cohorts, and moves them as a set.

Each chunk is one transaction that changes outcomes, instances, and the cursor, lease and tally of its
partition together. It locks the partition, and neither locks nor writes the upgrade. If a program dies, the
next worker resumes the partition at its cursor, and every instance moves exactly once. Each chunk checks and
renews the lease, so a worker that lost its lease writes nothing. Who stops an upgrade takes the leases away.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from uplift.domain.concurrency import let_requests_go_first
from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.chunk import ChunkPolicy, ChunkResult
from uplift.domain.model.cohort import Cohort
from uplift.domain.model.decision import CountedDecision, Decision, Verdict
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.domain.ports import Chunks, HeldPartition, RecordedChunk, Store, Transaction
from uplift.domain.rules.eligibility import decide, decide_undo
from uplift.domain.rules.migration_path import KnownPaths, MigrationPaths, NotComparedYetError
from uplift.domain.use_cases.worker import (
    Worker,
    claim_next_partition,
    end_partition,
    release,
    should_leave,
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
    partitions, this worker may have lost its lease, or another upgrade may be next (see
    `claim_next_partition`). If `should_stop` returns True, or the upgrade has not become faster since this
    worker joined, the worker releases its partition between two chunks (see `release`).

    However it ends, a trial of this worker ends with it (see `JoinPolicy`). Only one that has shown that the
    worker does not help keeps others from joining afterwards.
    """
    try:
        return await _run_partitions(store, upgrade, worker, should_stop, on_progress)
    finally:
        worker.trials.end(upgrade.id, worker.name)


async def _run_partitions(
    store: Store,
    upgrade: Upgrade,
    worker: Worker,
    should_stop: Callable[[], bool],
    on_progress: OnProgress,
) -> Upgrade:
    size = worker.chunk_policy.initial_size
    # Decisions are passed from chunk to chunk: one decision holds for a whole cohort, so most chunks need no
    # new one and can move their instances by the statement that records them.
    decisions: Mapping[Cohort, Decision] | None = None
    known: KnownPaths = {}
    ahead: ChunkEnd | None = None
    while True:
        if should_stop() or await should_leave(store, upgrade, worker):
            return await release(store, upgrade, worker)
        try:
            async with store.transaction(in_background=True) as transaction:
                started = time.perf_counter()
                # The lease is checked in the transaction that moves the chunk: between an earlier check and
                # the move it could expire or be taken away, and another worker could claim the partition. An
                # expired lease that no worker has claimed still counts, because the lock keeps others from
                # claiming it until the chunk commits.
                held = await transaction.partitions.lock_held(upgrade.id, worker.name, worker.clock())
                if held is None:
                    upgrade, result = await _find(transaction, upgrade), None
                else:
                    if decisions is None:
                        # Other workers, or an earlier run of this upgrade, may have decided cohorts already.
                        decisions = _by_cohort(await held.chunks.decisions())
                    end = None if ahead is None else ahead.in_partition(held.partition)
                    result = await run_chunk(transaction, held, size, worker, decisions, known, end)
        except NotComparedYetError as missing:
            await missing.compare(store.processes)
            continue
        if result is not None:
            upgrade, duration = result.upgrade, timedelta(seconds=time.perf_counter() - started)
            decisions = result.decisions
            if result.is_last:
                # It may be small, so its duration says nothing about the size.
                upgrade = await end_partition(store, upgrade, worker)
            else:
                size = worker.chunk_policy.size_after(size, duration)
            worker.on_chunk(replace(result, upgrade=upgrade), duration)
        on_progress(upgrade)
        if result is None or upgrade.is_finished:
            return upgrade
        if result.is_last and not await claim_next_partition(store, upgrade, worker):
            return upgrade
        if held is None or result.is_last:
            ahead = None
            await asyncio.sleep(worker.chunk_policy.pause.total_seconds())
        else:
            rest = replace(held.partition, cursor=result.cursor)
            ahead = await _find_end_in_pause(store, upgrade, rest, size, worker.chunk_policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkEnd:
    """The end position of the next chunk of a partition, found before the chunk; None if it was not."""

    partition: Partition
    end: int | None

    def in_partition(self, held: Partition) -> int | None:
        """The end position if this is the same part of the same partition."""
        known = self.partition
        is_same = (held.upgrade, held.cursor, held.last) == (known.upgrade, known.cursor, known.last)
        return self.end if is_same else None


async def _find_end_in_pause(
    store: Store, upgrade: Upgrade, partition: Partition, size: int, policy: ChunkPolicy
) -> ChunkEnd:
    """Let other programs write for the pause of the policy, and find where the next chunk will end."""
    started = time.perf_counter()
    end = None
    with suppress(StoreUnavailable):  # the chunk finds its end itself, and waits longer for the store
        end = await store.partitions.end_of_chunk(upgrade, partition, size)
    await asyncio.sleep(max(0.0, policy.pause.total_seconds() - (time.perf_counter() - started)))
    return ChunkEnd(partition=partition, end=end)


async def run_chunk(
    transaction: Transaction,
    held: HeldPartition,
    size: int,
    worker: Worker,
    decisions: Mapping[Cohort, Decision],
    known: KnownPaths,
    end: int | None = None,
) -> ChunkResult:
    """Record, decide and move the next chunk of a partition in this transaction.

    The chunk has `size` instances; it ends at the position `end` if that was found before.
    `decisions` holds stored decisions, ideally all of them, and `known` the migration paths found so far.
    After the last chunk, end the partition in another transaction. Raises NotComparedYetError.
    """
    started = time.perf_counter()
    # A linked engine moves the instances of a linked upgrade, so nothing moves here.
    moving = upgrading(decisions.values()) if held.upgrade.link is None else ()
    chunk = await held.chunks.record_and_move(size, moving, end)
    # What follows computes for longer than a request, and then saves.
    await let_requests_go_first()
    paths = migration_paths_of(held.upgrade, transaction, worker, known)
    result = await resolve_chunk(held.upgrade, held.chunks, chunk, decisions, paths)
    # Parallel work counts once, so that `Upgrade.rate` is the rate of all workers together.
    elapsed = timedelta(seconds=time.perf_counter() - started)
    done = result.tally(elapsed / held.workers)
    before = held.partition
    await held.save(replace(before, cursor=chunk.cursor, lease=worker.lease(), tally=before.tally + done))
    return replace(result, upgrade=held.upgrade.with_tally(done))


async def resolve_chunk(
    upgrade: Upgrade,
    chunks: Chunks,
    chunk: RecordedChunk,
    decisions: Mapping[Cohort, Decision],
    paths: MigrationPaths | None,
) -> ChunkResult:
    """Decide the cohorts of a recorded chunk that are not in `decisions`, and act on their instances.

    Each instance is moved, ordered from a linked engine, or skipped. Recording has moved those whose cohorts
    were decided before, which are nearly all of them, unless the upgrade is linked. The returned upgrade is
    the passed one, without what the chunk did. Raises NotComparedYetError.
    """
    new_cohorts = [unmoved.cohort for unmoved in chunk.unmoved if unmoved.cohort not in decisions]
    if new_cohorts:
        # A store may move instances by the decisions that it keeps, so they are kept before the move.
        kept = await chunks.keep_decisions(await _decide(new_cohorts, paths))
        decisions = {**decisions, **_by_cohort(kept)}
    counted = [
        CountedDecision(decision=decisions[unmoved.cohort], count=unmoved.count) for unmoved in chunk.unmoved
    ]
    skips = tuple(item for item in counted if item.decision.verdict is Verdict.SKIP)
    if skips:
        await chunks.count_skips(skips)
    to_move = upgrading(item.decision for item in counted)
    moved, ordered = chunk.moved, 0
    if to_move and upgrade.link is not None:
        ordered = await chunks.order(chunk)
    elif to_move:
        moved += await chunks.move_rest(chunk, to_move)
    skipped = sum(skip.count for skip in skips)
    require_complete(recorded=chunk.recorded, moved=moved, ordered=ordered, skipped=skipped)
    return ChunkResult(
        upgrade=upgrade,
        upgraded=moved,
        ordered=ordered,
        skipped=skips,
        not_found=chunk.not_found,
        decisions=decisions,
        cursor=chunk.cursor,
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


def upgrading(decisions: Iterable[Decision]) -> list[Decision]:
    """Those of the decisions that upgrade."""
    return [decision for decision in decisions if decision.verdict is Verdict.UPGRADE]


async def _decide(cohorts: Sequence[Cohort], paths: MigrationPaths | None) -> tuple[Decision, ...]:
    if paths is None:
        return tuple(decide_undo(cohort, cohort.origin) for cohort in cohorts if cohort.origin is not None)
    by_version = await paths.find_for(cohorts)
    return tuple(decide(cohort, by_version[cohort.version]) for cohort in cohorts)


async def _find(transaction: Transaction, upgrade: Upgrade) -> Upgrade:
    found = await transaction.upgrades.find(upgrade.id)
    assert found is not None, "upgrades are never deleted"
    return found
