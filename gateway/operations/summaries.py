"""What the command line shows of plans and upgrades, local or remote."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from uplift.domain.compatibility import Code
from uplift.domain.model.decision import CountedDecision, Decision, ReasonCode
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import UNFINISHED, Upgrade, UpgradeState
from uplift.domain.use_cases.plan import Plan

OF_THE_ENGINE = frozenset({Code.ENGINE_OBJECTS, Code.ENGINE_NOT_ASKED})
"""The codes of findings that a plan has from a linked engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeSummary:
    """An upgrade so far. `eta` is in seconds, None if unknown. An undo has no target version.

    A linked engine has not got the `ordered` instances yet, and has not answered the `sent` ones.
    `conditions` describes those of its selection, and is empty for a selection without any.
    """

    id: UpgradeId
    process: str
    selection: str
    conditions: str
    state: str
    target_version: int | None
    requested_by: str
    requested_at: datetime
    expected: int
    upgraded: int
    skipped: int
    ordered: int
    sent: int
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
    """The decision on a cohort.

    `why` has the reasons for SKIP; or a target position that differs, and what a linked engine says against
    it.
    """

    count: int
    version: int
    status: str
    position: tuple[str, ...]
    decision: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSummary:
    """What an upgrade would do, largest cohort first."""

    process: str
    target_version: int
    upgraded: int
    skipped: int
    excluded: int
    counts_by_reason: Mapping[ReasonCode, int] | Mapping[str, int]
    fingerprint: str
    cohorts: tuple[CohortSummary, ...]


def summary_of_upgrade(upgrade: Upgrade, skips: tuple[CountedDecision, ...]) -> UpgradeSummary:
    """Summarize an upgrade of the local store, with its SKIP decisions."""
    return UpgradeSummary(
        id=upgrade.id,
        process=str(upgrade.process),
        selection=upgrade.selection,
        conditions="" if upgrade.conditions is None else describe_conditions(**asdict(upgrade.conditions)),
        state=upgrade.state,
        target_version=upgrade.target_version,
        requested_by=upgrade.requested_by,
        requested_at=upgrade.requested_at,
        expected=upgrade.expected,
        upgraded=upgrade.upgraded,
        skipped=upgrade.skipped,
        ordered=upgrade.ordered,
        sent=upgrade.sent,
        excluded=upgrade.excluded,
        eta=None if upgrade.remaining is None else upgrade.remaining.total_seconds(),
        error=upgrade.error,
        counts_by_reason=upgrade.counts_by_reason(skips),
    )


def summary_of_plan(plan: Plan) -> PlanSummary:
    """Summarize a plan of the local store."""
    return PlanSummary(
        process=str(plan.process),
        target_version=plan.target_version,
        upgraded=plan.upgraded,
        skipped=plan.skipped,
        excluded=plan.excluded,
        counts_by_reason=plan.counts_by_reason,
        fingerprint=str(plan.fingerprint),
        cohorts=tuple(map(_cohort, sorted(plan.decisions, key=lambda counted: -counted.count))),
    )


def describe_reasons(reasons: Mapping[str, tuple[tuple[str, str | None], ...]]) -> str:
    """Each reason's code, followed by the codes and elements of its findings."""
    return ", ".join(
        " ".join([code, *sorted({f"{finding}({element})" for finding, element in findings})])
        for code, findings in reasons.items()
    )


def describe_conditions(
    versions: Sequence[int] | None,
    elements: Sequence[str] | None,
    statuses: Sequence[str] | None,
    limit: int | None,
) -> str:
    """The conditions of a selection, like the options of `uplift upgrade`; empty if there are none."""
    options = (("from-version", versions), ("at", elements), ("status", statuses))
    described = [f"--{option} {value}" for option, values in options for value in values or ()]
    return " ".join([*described, *([] if limit is None else [f"--limit {limit}"])])


def describe_move(
    position: tuple[str, ...], to_position: tuple[str, ...], warnings: Iterable[tuple[str, str]]
) -> str:
    """The target position, unless it is the current one, and what a linked engine says against the move.

    `warnings` are codes of findings with their messages.
    """
    target = [] if to_position == position else [f"to {' '.join(to_position)}"]
    said = [f"{code}: {message}" for code, message in warnings if code in OF_THE_ENGINE]
    return "; ".join([*target, *said])


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
        else describe_move(
            position,
            tuple(sorted(decision.to_position)),
            ((finding.code, finding.message) for finding in decision.warnings),
        ),
    )


def _why(decision: Decision) -> str:
    return describe_reasons(
        {
            reason.code: tuple((finding.code.value, finding.source) for finding in reason.findings)
            for reason in decision.reasons
        }
    )
