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
from uplift.domain.ports import LockedPartition, LockedUpgrade, RecordedChunk, Transaction
from uplift.domain.use_cases.run import require_complete
from uplift.testing.builders import EVENING

Decide = Callable[[Cohort, VersionNumber], Decision]


@dataclass(frozen=True, kw_only=True)
class WorkedChunk:
    """What one chunk came to."""

    upgrade: Upgrade
    recorded: RecordedChunk
    moved: int
    skipped: tuple[CountedDecision, ...]


NOT_PENDING = SkipReason(code=ReasonCode.NOT_PENDING, message="It does not wait.")
ALREADY_LATEST = SkipReason(code=ReasonCode.ALREADY_LATEST, message="It is there already.")


def plain_rules(cohort: Cohort, target: VersionNumber) -> Decision:
    """Upgrades what waits below the target, where it waits."""
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
    """Add a new upgrade with one partition for all of it."""
    locked, whole = await transaction.upgrades.add(new, selection)
    await whole.add(whole.partition)
    return locked.upgrade


async def lock(transaction: Transaction, upgrade_id: UpgradeId) -> tuple[LockedUpgrade, LockedPartition]:
    """An upgrade and its first partition, which no worker has."""
    found = await transaction.upgrades.lock_claimable(EVENING, only=upgrade_id)
    assert found is not None, "it runs, and something of it remains"
    return found


async def run_chunk(
    transaction: Transaction, upgrade_id: UpgradeId, size: int, by: Decide = plain_rules
) -> WorkedChunk:
    """Record the next chunk, carry the decisions out and keep how far the upgrade has come."""
    return await process_chunk(*await lock(transaction, upgrade_id), size, by)


async def process_chunk(
    locked: LockedUpgrade, partition: LockedPartition, size: int, by: Decide = plain_rules
) -> WorkedChunk:
    """As `run_chunk`, of what the transaction has locked already."""
    upgrade, chunks = locked.upgrade, partition.chunks
    kept = await chunks.decisions()
    recorded = await chunks.record(size, [decision for decision in kept if not decision.reasons])
    assert upgrade.target_version is not None
    decided = [
        CountedDecision(decision=by(counted.cohort, upgrade.target_version), count=counted.count)
        for counted in recorded.unmoved
    ]
    await chunks.keep_decisions(decided)
    new = [counted.decision for counted in decided if not counted.decision.reasons]
    moved = recorded.moved + await chunks.move(recorded, new)
    skips = tuple(counted for counted in decided if counted.decision.reasons)
    skipped = sum(counted.count for counted in skips)
    require_complete(recorded=recorded.recorded, moved=moved, skipped=skipped)
    advanced = upgrade.with_outcomes(upgraded=moved, skipped=skipped + recorded.not_found)
    advanced = advanced.with_work_time(timedelta(seconds=1))
    if not recorded.is_last:
        await partition.save(replace(partition.partition, cursor=recorded.cursor))
    else:
        await partition.end()
        if not await locked.remaining():
            advanced = advanced.finished(UpgradeState.COMPLETED, EVENING)
    await locked.save(advanced)
    return WorkedChunk(upgrade=advanced, recorded=recorded, moved=moved, skipped=skips)


def moving(places: dict[Position, Position]) -> Decide:
    """The plain rules, but what they upgrade at one of these positions goes on at another."""

    def by(cohort: Cohort, target: VersionNumber) -> Decision:
        decision = plain_rules(cohort, target)
        if decision.to_position is None:
            return decision
        return Decision(
            cohort=cohort, to_version=target, to_position=places.get(cohort.position, cohort.position)
        )

    return by
