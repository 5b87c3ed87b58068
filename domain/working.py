"""How is an upgrade worked off: record a chunk, decide its cohorts, move them as a set, go on?

Each chunk is one transaction: outcomes, instances, cursor and counts change together. A program that dies in
the middle leaves an upgrade that the next worker takes up at its cursor, each instance moved exactly once. A
worker holds a lease that every chunk checks and renews in its own transaction: one that has lost it (it was
stopped for too long) writes nothing more.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from domain.clock import Clock, utc_now
from domain.cohort import Cohort
from domain.decision import CountedDecision, Decision, Verdict
from domain.ports import Store, Transaction
from domain.route import Routes
from domain.rules import decide, decide_undo
from domain.upgrade import Lease, Upgrade, UpgradeId, UpgradeState

DEFAULT_CHUNK_SIZE = 10_000
"""Instances of a first chunk, and the most that are moved all in one transaction."""

OnProgress = Callable[[Upgrade], None]
"""Is told of an upgrade after each chunk, when that is committed."""


def ignore_progress(_: Upgrade) -> None:
    """For callers who only want the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How large chunks are: large enough to be fast, small enough to keep other writers waiting briefly."""

    first_size: int = DEFAULT_CHUNK_SIZE
    smallest: int = 500
    largest: int = 200_000
    target: timedelta = timedelta(milliseconds=50)
    """How long a chunk may hold the write lock."""
    rest: timedelta = timedelta(milliseconds=2)
    """Between two chunks, for writers in other programs; those in this one wait in line."""

    def __post_init__(self) -> None:
        if not 1 <= self.smallest <= self.largest or self.first_size < 1:
            raise ValueError(f"Expected chunks of at least one instance, but got {self}.")

    def size_after(self, size: int, took: timedelta) -> int:
        """The size of the next chunk, when one of this size took so long; a step is at most twofold."""
        # Aiming below the target leaves room for chunks that are slower than the last.
        factor = 0.7 * self.target / max(took, timedelta(microseconds=1))
        return min(self.largest, max(self.smallest, round(size * min(2.0, max(0.5, factor)))))


@dataclass(frozen=True, slots=True, kw_only=True)
class DoneChunk:
    """What one chunk did: the upgrade after it, how many moved, and how many were skipped by which decision.

    `not_found` counts ids that no instance has. `new` are the decisions that no earlier chunk had made.
    """

    upgrade: Upgrade
    upgraded: int
    skipped: tuple[CountedDecision, ...]
    not_found: int
    new: tuple[Decision, ...]


OnChunk = Callable[[DoneChunk, timedelta], None]
"""Is told of a chunk when it is committed, and how long its transaction took."""


def ignore_chunk(_: DoneChunk, __: timedelta) -> None:
    """For workers of whom nobody keeps count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Who works: a name that no other worker has, and how it does it."""

    name: str
    pace: Pace = Pace()
    lease_for: timedelta = timedelta(seconds=10)
    clock: Clock = utc_now
    on_chunk: OnChunk = ignore_chunk

    def lease(self) -> Lease:
        """A lease from now on."""
        return Lease(worker=self.name, until=self.clock() + self.lease_for)


async def claim(store: Store, worker: Worker, *, only: UpgradeId | None = None) -> Upgrade | None:
    """Take the oldest upgrade that waits for a worker, or this one only; None when there is none.

    An upgrade waits when it is QUEUED, or RUNNING with a lease that has run out, unless another upgrade of
    its process is being worked on.
    """
    if await store.claimable(worker.clock(), only=only) is None:
        return None
    async with store.transaction() as transaction:
        upgrade = await transaction.claimable(worker.clock(), only=only)
        if upgrade is None:
            return None
        claimed = replace(
            upgrade,
            state=UpgradeState.RUNNING,
            lease=worker.lease(),
            started_at=upgrade.started_at or worker.clock(),
        )
        await transaction.save_upgrade(claimed)
        return claimed


async def work_off(
    store: Store,
    upgrade: Upgrade,
    worker: Worker,
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: OnProgress = ignore_progress,
) -> Upgrade:
    """Work a claimed upgrade off until it ended, was paused or cancelled, or lost to another; returns it.

    When `should_stop` says so, the lease is given back between two chunks, and the upgrade is QUEUED again.
    """
    size = worker.pace.first_size
    decided: dict[Cohort, Decision] | None = None
    while _is_mine(upgrade, worker):
        if should_stop():
            return await _give_back(store, upgrade, worker)
        async with store.transaction(in_background=True) as transaction:
            began = time.perf_counter()
            upgrade = await _stored(transaction, upgrade)
            if decided is None:
                decided = _by_cohort(await transaction.decisions(upgrade))
            is_mine = _is_mine(upgrade, worker)
            done = await work_chunk(transaction, upgrade, size, worker, decided) if is_mine else None
        if done is not None:
            upgrade, took = done.upgrade, timedelta(seconds=time.perf_counter() - began)
            decided = {**decided, **_by_cohort(done.new)}
            size = worker.pace.size_after(size, took)
            worker.on_chunk(done, took)
        on_progress(upgrade)
        if not upgrade.is_finished:
            await asyncio.sleep(worker.pace.rest.total_seconds())
    return upgrade


async def work_chunk(
    transaction: Transaction,
    upgrade: Upgrade,
    size: int,
    worker: Worker,
    decided: Mapping[Cohort, Decision],
) -> DoneChunk:
    """Record, decide and carry out the next chunk within this transaction.

    `decided` holds the decisions of earlier chunks, all that are kept. What is returned is true when the
    transaction is committed.

    Nearly all instances are in cohorts that an earlier chunk met, and move at once: which cohorts the others
    are in is asked only when there are others.
    """
    began = time.perf_counter()
    chunk = await transaction.record_chunk(upgrade, size, _upgrades(decided.values()))
    unknown = [one.cohort for one in chunk.unmoved if one.cohort not in decided]
    new = await _decide(transaction, upgrade, unknown)
    known = {**decided, **_by_cohort(new)}
    counted = [CountedDecision(decision=known[one.cohort], count=one.count) for one in chunk.unmoved]
    await transaction.keep_decisions(upgrade, counted)
    left = _upgrades(new)
    moved = chunk.moved + (await transaction.move(upgrade, chunk, left) if left else 0)
    skips = tuple(one for one in counted if one.decision.verdict is Verdict.SKIP)
    skipped = sum(one.count for one in skips)
    must_account_for_all(recorded=chunk.recorded, moved=moved, skipped=skipped)
    advanced = upgrade.advanced(
        cursor=chunk.cursor,
        upgraded=moved,
        skipped=skipped + chunk.not_found,
        worked=timedelta(seconds=time.perf_counter() - began),
    )
    if chunk.is_last:
        advanced = advanced.finished(UpgradeState.COMPLETED, worker.clock())
    else:
        advanced = replace(advanced, lease=worker.lease())
    await transaction.save_upgrade(advanced)
    return DoneChunk(
        upgrade=advanced, upgraded=moved, skipped=skips, not_found=chunk.not_found, new=tuple(new)
    )


async def fail(store: Store, upgrade: Upgrade, worker: Worker, error: str) -> Upgrade:
    """Stop a claimed upgrade for good, because of an error of ours."""
    async with store.transaction() as transaction:
        stored = await _stored(transaction, upgrade)
        if not _is_mine(stored, worker):
            return stored
        failed = stored.finished(UpgradeState.FAILED, worker.clock(), error=error)
        await transaction.save_upgrade(failed)
        return failed


def must_account_for_all(*, recorded: int, moved: int, skipped: int) -> None:
    """Stop when the store did something else than it recorded: the audit would not tell the truth."""
    if moved + skipped != recorded:
        raise RuntimeError(
            f"Expected each of the {recorded} recorded instances to be moved or skipped, "
            f"but {moved} moved and {skipped} were skipped."
        )


def routes_of(upgrade: Upgrade, documents: Transaction) -> Routes:
    """The ways to the target version of an upgrade that has one."""
    assert upgrade.target_version is not None, "only an undo has no target version"
    return Routes(
        process=upgrade.process,
        target=upgrade.target_version,
        mappings=upgrade.mappings,
        documents=documents,
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
    routes = routes_of(upgrade, transaction)
    return tuple([decide(cohort, await routes.route(cohort.version)) for cohort in cohorts])


async def _give_back(store: Store, upgrade: Upgrade, worker: Worker) -> Upgrade:
    async with store.transaction() as transaction:
        stored = await _stored(transaction, upgrade)
        if not _is_mine(stored, worker):
            return stored
        queued = replace(stored, state=UpgradeState.QUEUED, lease=None)
        await transaction.save_upgrade(queued)
        return queued


async def _stored(transaction: Transaction, upgrade: Upgrade) -> Upgrade:
    stored = await transaction.upgrade(upgrade.id)
    assert stored is not None, "upgrades are never deleted"
    return stored


def _is_mine(upgrade: Upgrade, worker: Worker) -> bool:
    return (
        upgrade.state is UpgradeState.RUNNING
        and upgrade.lease is not None
        and upgrade.lease.worker == worker.name
    )
