"""What does the command line show of a plan or an upgrade, wherever it comes from?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from uplift.domain.model.decision import CountedDecision, Decision, ReasonCode
from uplift.domain.model.upgrade import UNFINISHED, Upgrade, UpgradeState
from uplift.domain.use_cases.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeSummary:
    """How far an upgrade has come; an undo has no target version. `eta` is in seconds, None when unknown."""

    id: UUID
    process: str
    selection: str
    state: str
    target_version: int | None
    requested_by: str
    requested_at: datetime
    expected: int
    upgraded: int
    skipped: int
    excluded: int
    eta: float | None
    error: str | None
    counts_by_reason: Mapping[ReasonCode, int] | Mapping[str, int]

    @property
    def total(self) -> int:
        """How many instances have an outcome so far."""
        return self.upgraded + self.skipped

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen."""
        return UpgradeState(self.state) not in UNFINISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortSummary:
    """What would happen to the instances of a cohort; `why` tells why not, or where else they would go."""

    count: int
    version: int
    status: str
    position: tuple[str, ...]
    decision: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSummary:
    """What an upgrade would do, the largest cohort first."""

    process: str
    target_version: int
    upgraded: int
    skipped: int
    excluded: int
    counts_by_reason: Mapping[ReasonCode, int] | Mapping[str, int]
    fingerprint: str
    cohorts: tuple[CohortSummary, ...]


def summary_of_upgrade(upgrade: Upgrade, skips: tuple[CountedDecision, ...]) -> UpgradeSummary:
    """An upgrade here, with the decisions by which instances were skipped."""
    return UpgradeSummary(
        id=upgrade.id,
        process=str(upgrade.process),
        selection=upgrade.selection,
        state=upgrade.state,
        target_version=upgrade.target_version,
        requested_by=upgrade.requested_by,
        requested_at=upgrade.requested_at,
        expected=upgrade.expected,
        upgraded=upgrade.upgraded,
        skipped=upgrade.skipped,
        excluded=upgrade.excluded,
        eta=None if upgrade.remaining is None else upgrade.remaining.total_seconds(),
        error=upgrade.error,
        counts_by_reason=upgrade.counts_by_reason(skips),
    )


def summary_of_plan(plan: Plan) -> PlanSummary:
    """A plan made here."""
    return PlanSummary(
        process=str(plan.process),
        target_version=plan.target_version,
        upgraded=plan.upgraded,
        skipped=plan.skipped,
        excluded=plan.excluded,
        counts_by_reason=plan.counts_by_reason,
        fingerprint=str(plan.fingerprint),
        cohorts=tuple(map(_cohort, sorted(plan.decisions, key=lambda one: -one.count))),
    )


def in_short(reasons: Mapping[str, tuple[tuple[str, str | None], ...]]) -> str:
    """Reasons in short: each code, with the code and the element of its findings."""
    return ", ".join(
        " ".join([code, *sorted({f"{finding}({element})" for finding, element in findings})])
        for code, findings in reasons.items()
    )


def where_to(position: tuple[str, ...], to_position: tuple[str, ...]) -> str:
    """Where instances would go, if not to the elements where they wait."""
    return "" if to_position == position else f"to {' '.join(to_position)}"


def _cohort(counted: CountedDecision) -> CohortSummary:
    decision = counted.decision
    position = tuple(sorted(decision.cohort.position))
    return CohortSummary(
        count=counted.count,
        version=decision.cohort.version,
        status=decision.cohort.status,
        position=position,
        decision=decision.verdict,
        why=_why(decision)
        if decision.to_position is None
        else where_to(position, tuple(sorted(decision.to_position))),
    )


def _why(decision: Decision) -> str:
    return in_short(
        {
            reason.code: tuple((finding.code.value, finding.source) for finding in reason.findings)
            for reason in decision.reasons
        }
    )
