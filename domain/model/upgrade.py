"""Defines upgrades, their partitions and outcomes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from uplift.domain.model.conditions import Conditions
from uplift.domain.model.decision import CountedDecision, ReasonCode, SkipReason, count_reasons
from uplift.domain.model.instance import InstanceId, Position
from uplift.domain.model.link import LinkId
from uplift.domain.model.mapping import VersionMapping
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.model.selection import SelectionKind, UpgradeId

__all__ = ["Lease", "Outcome", "OutcomeKind", "Partition", "Tally", "Upgrade", "UpgradeId", "UpgradeState"]

MAX_REASON_LENGTH = 1_000
"""The longest reason that the audit records, in characters."""

RATED_UPGRADES = 20
"""The number of latest large upgrades from which the rate is measured."""
RATED_FROM = 1_000
"""The least number of outcomes of a large upgrade. In smaller ones, overhead dominates."""


class UpgradeState(StrEnum):
    """The life cycle: QUEUED, RUNNING, then COMPLETED, CANCELLED or FAILED. An operator may pause before."""

    QUEUED = "QUEUED"
    """No worker has claimed it yet, or none since it was resumed or released."""
    RUNNING = "RUNNING"
    """A worker has claimed it. Between two partitions it may wait for a worker again, and at the end for the
    answers of a linked engine."""
    PAUSED = "PAUSED"
    """Stopped by an operator until resumed."""
    COMPLETED = "COMPLETED"
    """Every instance of the selection has its outcome."""
    CANCELLED = "CANCELLED"
    """Stopped by an operator for good. Upgraded instances stay upgraded."""
    FAILED = "FAILED"
    """Stopped by an internal error. Upgraded instances stay upgraded."""


UNFINISHED = frozenset({UpgradeState.QUEUED, UpgradeState.RUNNING, UpgradeState.PAUSED})
SENDING = frozenset({UpgradeState.QUEUED, UpgradeState.RUNNING})
"""The states in which a linked upgrade sends its orders."""


class OutcomeKind(StrEnum):
    """What an upgrade did to one instance."""

    UPGRADED = "UPGRADED"
    SKIPPED = "SKIPPED"
    ORDERED = "ORDERED"
    """A linked engine has not answered yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The exclusive right of a worker to process a partition until a time, unless renewed before."""

    worker: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What chunks did: how many outcomes and orders they recorded, and the processing time."""

    upgraded: int = 0
    skipped: int = 0
    ordered: int = 0
    worked: timedelta = timedelta()

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            upgraded=self.upgraded + other.upgraded,
            skipped=self.skipped + other.skipped,
            ordered=self.ordered + other.ordered,
            worked=self.worked + other.worked,
        )

    def __sub__(self, other: "Tally") -> "Tally":
        return Tally(
            upgraded=self.upgraded - other.upgraded,
            skipped=self.skipped - other.skipped,
            ordered=self.ordered - other.ordered,
            worked=self.worked - other.worked,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """The remaining part of a range of an upgrade's selection, which one worker at a time processes.

    It covers the selection after `cursor`, up to and including `last`, in an order that the store defines.
    The partitions of an upgrade do not overlap. When the last one ends, every instance of the selection has
    an outcome.

    `lease` is what allows a worker to run chunks. Only a RUNNING upgrade has leases. `tally` is what the
    chunks of the partition did, until the partition ends and the upgrade takes it over.
    """

    upgrade: UpgradeId
    cursor: int
    last: int
    lease: Lease | None = None
    tally: Tally = Tally()

    def is_worked_on(self, now: datetime) -> bool:
        """Whether a worker holds a lease on it that has not expired."""
        return self.lease is not None and self.lease.until >= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """The present state of an upgrade. Times are in UTC.

    `target_version` is None for an undo, which moves each instance back to its own earlier version.
    `mappings` holds the instructions of the caller, and `conditions` those of its selection. `of` is the
    upgrade that a retry or an undo follows, and `retried` the reasons for skips that a retry repeats.

    `upgraded` and `skipped` count the outcomes so far, those of its partitions included, and `expected`
    estimates their total. `excluded` counts the active instances that the selection excludes, and `named_ids`
    the ids in the request, whether they select or exclude. `worked` is the processing time so far; time that
    several workers spend in parallel counts once. `error` says why the upgrade FAILED.

    `link` is the link of the process when the upgrade was requested. Then the link's engine moves the
    instances: `ordered` counts the orders that were not sent, `sent` those that the engine has not answered,
    and `upgraded` those that it confirmed. `refusals` counts the refused ones by reason; they are part of
    `skipped`.
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
    conditions: Conditions | None = None
    of: UpgradeId | None = None
    retried: frozenset[ReasonCode] = frozenset()
    started_at: datetime | None = None
    finished_at: datetime | None = None
    pruned_at: datetime | None = None
    worked: timedelta = timedelta()
    upgraded: int = 0
    skipped: int = 0
    excluded: int = 0
    named_ids: int = 0
    error: str | None = None
    link: LinkId | None = None
    ordered: int = 0
    sent: int = 0
    refusals: Mapping[ReasonCode, int] = field(default_factory=dict, hash=False)

    @property
    def total(self) -> int:
        """How many instances have their final outcome so far."""
        return self.upgraded + self.skipped

    @property
    def refused(self) -> int:
        """How many orders were refused."""
        return sum(self.refusals.values())

    @property
    def unsettled(self) -> int:
        """How many orders have no answer yet, sent or not."""
        return self.ordered + self.sent

    @property
    def selected_count(self) -> int | None:
        """How many ids the request selects; None unless it selects by ids."""
        return self.named_ids if self.selection is SelectionKind.BY_IDS else None

    @property
    def except_count(self) -> int:
        """How many ids the request excludes, whether they have an active instance or not."""
        return 0 if self.selection is SelectionKind.BY_IDS else self.named_ids

    @property
    def is_finished(self) -> bool:
        """Whether the upgrade has reached its final state."""
        return self.state not in UNFINISHED

    @property
    def rate(self) -> float | None:
        """Outcomes per second of processing time; None before the first chunk."""
        seconds = self.worked.total_seconds()
        return self.total / seconds if seconds else None

    @property
    def remaining(self) -> timedelta | None:
        """The estimated remaining processing time; None if it is unknown or the upgrade is finished."""
        if self.is_finished or not self.rate:
            return None
        return timedelta(seconds=max(0, self.expected - self.total) / self.rate)

    def counts_by_reason(self, skips: Sequence[CountedDecision]) -> Mapping[ReasonCode, int]:
        """How many instances were skipped for each reason, from the upgrade's SKIP decisions.

        Decisions concern instances that exist: the other skipped ids were not found.
        """
        return count_reasons(skips, not_found=self.not_found(skips), refusals=self.refusals)

    def not_found(self, skips: Sequence[CountedDecision]) -> int:
        """How many ids were skipped because no instance has them, from the upgrade's SKIP decisions.

        Only a selection by ids can name an instance that does not exist.
        """
        if self.selection is not SelectionKind.BY_IDS:
            return 0
        # Upgrade and decisions may be read at two moments, between which a chunk ends.
        return max(0, self.skipped - self.refused - sum(counted.count for counted in skips))

    @property
    def tally(self) -> Tally:
        """What was done so far."""
        return Tally(upgraded=self.upgraded, skipped=self.skipped, ordered=self.ordered, worked=self.worked)

    def with_tally(self, more: Tally) -> "Upgrade":
        """The upgrade after so much more was done."""
        total = self.tally + more
        return replace(
            self,
            upgraded=total.upgraded,
            skipped=total.skipped,
            ordered=total.ordered,
            worked=total.worked,
        )

    def with_sent(self, count: int) -> "Upgrade":
        """The upgrade after so many orders were sent; a negative number was put back."""
        return replace(self, ordered=self.ordered - count, sent=self.sent + count)

    def with_answers(self, *, confirmed: int, refusals: Mapping[ReasonCode, int]) -> "Upgrade":
        """The upgrade after the engine answered so many sent orders."""
        refused = sum(refusals.values())
        return replace(
            self,
            sent=self.sent - confirmed - refused,
            upgraded=self.upgraded + confirmed,
            skipped=self.skipped + refused,
            refusals=_sum(self.refusals, refusals),
        )

    def with_dropped(self, refusals: Mapping[ReasonCode, int]) -> "Upgrade":
        """The upgrade after so many orders were refused without being sent."""
        refused = sum(refusals.values())
        return replace(
            self,
            ordered=self.ordered - refused,
            skipped=self.skipped + refused,
            refusals=_sum(self.refusals, refusals),
        )

    def finished(self, state: UpgradeState, at: datetime, *, error: str | None = None) -> "Upgrade":
        """The upgrade in a final state."""
        return replace(self, state=state, finished_at=at, error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeProgress:
    """What shows whether an unfinished upgrade has changed, without its mappings, which may be long."""

    id: UpgradeId
    process: ProcessKey
    state: UpgradeState
    total: int
    ordered: int
    sent: int

    @classmethod
    def of(cls, upgrade: Upgrade) -> "UpgradeProgress":
        """The progress of an upgrade."""
        return cls(
            id=upgrade.id,
            process=upgrade.process,
            state=upgrade.state,
            total=upgrade.total,
            ordered=upgrade.ordered,
            sent=upgrade.sent,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an upgrade did to one instance: UPGRADED without reasons, or SKIPPED with every reason.

    Versions and positions are None for an id that no instance of the process has. For a skipped instance,
    `to_version` and `to_position` equal the version and position that it kept. With `is_ordered`, a linked
    engine has not answered yet whether it moves the instance there.
    """

    instance: InstanceId
    reasons: tuple[SkipReason, ...] = ()
    from_version: VersionNumber | None = None
    to_version: VersionNumber | None = None
    from_position: Position | None = None
    to_position: Position | None = None
    is_ordered: bool = False

    @property
    def kind(self) -> OutcomeKind:
        if self.is_ordered:
            return OutcomeKind.ORDERED
        return OutcomeKind.SKIPPED if self.reasons else OutcomeKind.UPGRADED


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """An upgrade that selected an instance, and its outcome for the instance."""

    upgrade: Upgrade
    outcome: Outcome


def _sum(counts: Mapping[ReasonCode, int], more: Mapping[ReasonCode, int]) -> Mapping[ReasonCode, int]:
    return dict(Counter(counts) + Counter(more))
