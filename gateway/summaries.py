"""What does the command line show of a plan or an upgrade, wherever it comes from?"""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.decision import CountedDecision, Decision, ReasonCode, count_reasons
from domain.planning import Plan
from domain.upgrade import Upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeSummary:
    """What an upgrade did; an undo has no target version."""

    id: str
    state: str
    target_version: int | None
    upgraded: int
    skipped: int
    excluded: int
    counts_by_reason: Mapping[ReasonCode, int] | Mapping[str, int]


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
    """A finished upgrade, with the decisions by which instances were skipped."""
    not_found = upgrade.skipped - sum(counted.count for counted in skips)
    return UpgradeSummary(
        id=str(upgrade.id),
        state=upgrade.state,
        target_version=upgrade.target_version,
        upgraded=upgrade.upgraded,
        skipped=upgrade.skipped,
        excluded=upgrade.excluded,
        counts_by_reason=count_reasons(skips, not_found=not_found),
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


def why(reasons: Mapping[str, tuple[tuple[str, str | None], ...]]) -> str:
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
    return why(
        {
            reason.code: tuple((finding.code.value, finding.source) for finding in reason.findings)
            for reason in decision.reasons
        }
    )
