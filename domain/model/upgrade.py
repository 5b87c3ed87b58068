"""One stored request to upgrade instances: who asked for what, and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from uplift.domain.model.decision import CountedDecision, ReasonCode, SkipReason, count_reasons
from uplift.domain.model.instance import InstanceId, Position
from uplift.domain.model.mapping import VersionMapping
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.model.selection import SelectionKind, UpgradeId

__all__ = ["Lease", "Outcome", "OutcomeKind", "Partition", "Upgrade", "UpgradeId", "UpgradeState"]

MAX_REASON_LENGTH = 1_000
"""Longest reason that is kept for the audit, in characters."""

RATED_UPGRADES = 20
"""How many of the latest large upgrades tell the rate."""
RATED_FROM = 1_000
"""Outcomes from which on an upgrade is large: smaller ones are mostly overhead."""


class UpgradeState(StrEnum):
    """The life of an upgrade: QUEUED, RUNNING, then one of the last three; PAUSED between."""

    QUEUED = "QUEUED"
    """Waiting for a worker."""
    RUNNING = "RUNNING"
    """Begun. Between two partitions it may wait for a worker while others come first."""
    PAUSED = "PAUSED"
    """Stopped by an operator, until resumed."""
    COMPLETED = "COMPLETED"
    """Every instance of the selection has its outcome."""
    CANCELLED = "CANCELLED"
    """Stopped by an operator for good; what is done stays done."""
    FAILED = "FAILED"
    """Stopped by an error of ours; what is done stays done."""


UNFINISHED = frozenset({UpgradeState.QUEUED, UpgradeState.RUNNING, UpgradeState.PAUSED})


class OutcomeKind(StrEnum):
    """What an upgrade did to one instance."""

    UPGRADED = "UPGRADED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right of one worker to work on a partition, until a time by which it must renew it."""

    worker: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """What is left of a part of an upgrade's selection that one worker at a time works off.

    It covers the keys behind `cursor`, up to `last`, in an order that only the store knows. The partitions of
    an upgrade have no key in common; when none is left, every instance of the selection has its outcome.
    """

    upgrade: UpgradeId
    cursor: int
    last: int
    lease: Lease | None = None

    def is_worked_on(self, now: datetime) -> bool:
        """Whether a worker has it whose lease has not run out."""
        return self.lease is not None and self.lease.until >= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """An upgrade as it stands. Times are in UTC.

    `target_version` is None for an undo, which takes each instance back to a version of its own. `mappings`
    are the caller's instructions. `of` is the earlier upgrade that a retry or an undo is about, and
    `retried` the reasons that a retry takes up.

    `upgraded` and `skipped` count outcomes so far, `expected` says how many there will be about; `excluded`
    counts the active instances that the selection left out. `worked` is how long was worked on it so far, by
    however many workers. `error` says why it FAILED.
    """

    id: UpgradeId
    process: ProcessKey
    selection: SelectionKind
    target_version: VersionNumber | None
    state: UpgradeState
    requested_by: str
    reason: str | None
    requested_at: datetime
    expected: int
    mappings: tuple[VersionMapping, ...] = ()
    of: UpgradeId | None = None
    retried: frozenset[ReasonCode] = frozenset()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    pruned_at: datetime | None = None
    worked: timedelta = timedelta()
    upgraded: int = 0
    skipped: int = 0
    excluded: int = 0
    error: str | None = None

    @property
    def total(self) -> int:
        """How many instances have an outcome so far."""
        return self.upgraded + self.skipped

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen."""
        return self.state not in UNFINISHED

    @property
    def rate(self) -> float | None:
        """Outcomes a second of work; None before the first chunk."""
        seconds = self.worked.total_seconds()
        return self.total / seconds if seconds else None

    @property
    def remaining(self) -> timedelta | None:
        """How much longer it will take at this rate; None when that is not known, or nothing is left."""
        if self.is_finished or not self.rate:
            return None
        return timedelta(seconds=max(0, self.expected - self.total) / self.rate)

    def counts_by_reason(self, skips: Sequence[CountedDecision]) -> Mapping[ReasonCode, int]:
        """How many instances were skipped for each reason, from the upgrade's SKIP decisions.

        Decisions concern instances that exist: the other skipped ids were not found.
        """
        not_found = self.skipped - sum(counted.count for counted in skips)
        # Decisions that are read after the upgrade may include a chunk that it does not count yet.
        return count_reasons(skips, not_found=max(0, not_found))

    def counting(self, *, upgraded: int, skipped: int) -> "Upgrade":
        """The upgrade with so many outcomes more."""
        return replace(self, upgraded=self.upgraded + upgraded, skipped=self.skipped + skipped)

    def worked_for(self, time: timedelta) -> "Upgrade":
        """The upgrade after so much more time of work."""
        return replace(self, worked=self.worked + time)

    def finished(self, state: UpgradeState, at: datetime, *, error: str | None = None) -> "Upgrade":
        """The upgrade at its end."""
        return replace(self, state=state, finished_at=at, error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an upgrade did to one instance: UPGRADED (no reasons), or SKIPPED with every reason.

    Versions and positions are unknown (None) for an id that no instance of the process has. For a skipped
    instance `to_version` and `to_position` are where it stayed.
    """

    instance: InstanceId
    reasons: tuple[SkipReason, ...] = ()
    from_version: VersionNumber | None = None
    to_version: VersionNumber | None = None
    from_position: Position | None = None
    to_position: Position | None = None

    @property
    def kind(self) -> OutcomeKind:
        return OutcomeKind.SKIPPED if self.reasons else OutcomeKind.UPGRADED


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One upgrade in the life of an instance, and what it did to it."""

    upgrade: Upgrade
    outcome: Outcome
