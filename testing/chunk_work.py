"""Runs the chunks of an upgrade in tests, with decisions that the test makes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from uplift.domain import (
    Cohort,
    CountedDecision,
    Decision,
    Position,
    ReasonCode,
    SkipReason,
    Status,
    Upgrade,
    UpgradeId,
    UpgradeState,
    VersionNumber,
)
from uplift.domain.model.selection import UpgradeSelection
from uplift.domain.model.upgrade import Tally
from uplift.domain.ports import LockedPartition, LockedUpgrade, RecordedChunk, Transaction
from uplift.domain.use_cases.run import require_complete
from uplift.testing.builders import EVENING

Decide = Callable[[Cohort, VersionNumber], Decision]


@dataclass(frozen=True, kw_only=True)
class WorkedChunk:
    """The results of one chunk."""

    upgrade: Upgrade
    recorded: RecordedChunk
    moved: int
    skipped: tuple[CountedDecision, ...]


NOT_PENDING = SkipReason(code=ReasonCode.NOT_PENDING, message="It does not wait.")
ALREADY_LATEST = SkipReason(code=ReasonCode.ALREADY_LATEST, message="It is there already.")


def plain_rules(cohort: Cohort, target: VersionNumber) -> Decision:
    """Upgrades PENDING instances below the target version, and leaves their positions."""
    reasons = []
    if cohort.status is not Status.PENDING:
        reasons.append(NOT_PENDING)
    if cohort.version >= target:
        reasons.append(ALREADY_LATEST)
    return Decision(
        cohort=cohort,
        to_version=None if reasons else target,
        to_position=None if reasons else cohort.position,
        reasons=tuple(reasons),
    )


async def add_upgrade(transaction: Transaction, new: Upgrade, selection: UpgradeSelection) -> Upgrade:
    """Add a new upgrade with the partitions that cover all of it."""
    locked, whole = await transaction.upgrades.add(new, selection)
    for partition in whole:
        await partition.add(partition.partition)
    return locked.upgrade


async def lock(transaction: Transaction, upgrade_id: UpgradeId) -> tuple[LockedUpgrade, LockedPartition]:
    """Lock an upgrade and its first partition, which no worker holds."""
    found = await transaction.upgrades.lock_claimable(upgrade_id, EVENING)
    assert found is not None, "the upgrade runs and has a free partition"
    return found


async def run_chunk(
    transaction: Transaction, upgrade_id: UpgradeId, size: int, by: Decide = plain_rules
) -> WorkedChunk:
    """Record the next chunk, carry out the decisions on it, and end what it ends: partition and upgrade."""
    locked, partition = await lock(transaction, upgrade_id)
    worked = await process_chunk(locked, partition, size, by)
    if not worked.recorded.is_last:
        return worked
    await partition.end()
    ended = await locked.stop()  # reads again what the upgrade took over
    if not await locked.remaining():
        ended = ended.finished(UpgradeState.COMPLETED, EVENING)
        await locked.save(ended)
    return replace(worked, upgrade=ended)


async def process_chunk(
    locked: LockedUpgrade, partition: LockedPartition, size: int, by: Decide = plain_rules
) -> WorkedChunk:
    """As `run_chunk`, for a partition that the transaction has already locked, which does not end."""
    upgrade, chunks = locked.upgrade, partition.chunks
    kept = await chunks.decisions()
    recorded = await chunks.record_and_move(size, [decision for decision in kept if not decision.reasons])
    assert upgrade.target_version is not None
    decided = [
        CountedDecision(decision=by(counted.cohort, upgrade.target_version), count=counted.count)
        for counted in recorded.unmoved
    ]
    if decided:
        await chunks.keep_decisions([counted.decision for counted in decided])
    new = [counted.decision for counted in decided if not counted.decision.reasons]
    skips = tuple(counted for counted in decided if counted.decision.reasons)
    if skips:
        await chunks.count_skips(skips)
    moved = recorded.moved + await chunks.move_rest(recorded, new)
    skipped = sum(counted.count for counted in skips)
    require_complete(recorded=recorded.recorded, moved=moved, skipped=skipped)
    done = Tally(upgraded=moved, skipped=skipped + recorded.not_found, worked=timedelta(seconds=1))
    before = partition.partition
    await partition.save(replace(before, cursor=recorded.cursor, tally=before.tally + done))
    return WorkedChunk(upgrade=upgrade.with_tally(done), recorded=recorded, moved=moved, skipped=skips)


def moving(target_positions: dict[Position, Position]) -> Decide:
    """The plain rules, but with a new position for some of the old ones."""

    def by(cohort: Cohort, target: VersionNumber) -> Decision:
        decision = plain_rules(cohort, target)
        if decision.to_position is None:
            return decision
        return Decision(
            cohort=cohort,
            to_version=target,
            to_position=target_positions.get(cohort.position, cohort.position),
        )

    return by
