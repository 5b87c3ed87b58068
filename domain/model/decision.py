"""Defines the decisions of the rules on a cohort, and so on each of its instances."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from uplift.domain.compatibility import Code, Finding
from uplift.domain.model.cohort import Cohort
from uplift.domain.model.instance import ElementId, Position
from uplift.domain.model.process import VersionNumber


class Verdict(StrEnum):
    """Whether the instances of a cohort are upgraded or skipped."""

    UPGRADE = "UPGRADE"
    SKIP = "SKIP"


class ReasonCode(StrEnum):
    """The stable codes of the reasons to skip an instance (rules.md#the-instance)."""

    INSTANCE_NOT_FOUND = "INSTANCE_NOT_FOUND"
    NOT_PENDING = "NOT_PENDING"
    ALREADY_LATEST = "ALREADY_LATEST"
    INCOMPATIBLE = "INCOMPATIBLE"
    MOVED_ON = "MOVED_ON"
    ENGINE_REFUSED = "ENGINE_REFUSED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipReason:
    """One reason to skip an instance, as a code and as a sentence for operators.

    `findings` holds the errors that make a position INCOMPATIBLE. Other reasons have none.
    """

    code: ReasonCode
    message: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """UPGRADE to `to_version` and `to_position`, or SKIP for every reason in `reasons` (then both are None).

    `warnings` may accompany either verdict.
    """

    cohort: Cohort
    to_version: VersionNumber | None
    to_position: Position | None
    reasons: tuple[SkipReason, ...] = ()
    warnings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return Verdict.SKIP if self.reasons else Verdict.UPGRADE

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings: the errors that make the position INCOMPATIBLE, then the warnings."""
        return (*(finding for reason in self.reasons for finding in reason.findings), *self.warnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedDecision:
    """A decision, and the number of instances that it applies to."""

    decision: Decision
    count: int


INSTANCE_NOT_FOUND = SkipReason(
    code=ReasonCode.INSTANCE_NOT_FOUND, message="No instance of this process has this id."
)
"""The reason to skip an id that no instance of the process has."""
NO_REFUSALS: Mapping[ReasonCode, int] = MappingProxyType({})


def count_reasons(
    skips: Iterable[CountedDecision], *, not_found: int, refusals: Mapping[ReasonCode, int] = NO_REFUSALS
) -> Mapping[ReasonCode, int]:
    """Count the skipped instances by reason. An instance with two reasons counts under both.

    `refusals` counts the instances that a linked engine did not move.
    """
    counts: Counter[ReasonCode] = Counter(refusals)
    for counted in skips:
        for reason in counted.decision.reasons:
            counts[reason.code] += counted.count
    if not_found:
        counts[ReasonCode.INSTANCE_NOT_FOUND] += not_found
    return {code: counts[code] for code in ReasonCode if code in counts}


def count_findings(decisions: Iterable[CountedDecision]) -> Mapping[Code, int]:
    """Count the instances by code of finding. An instance with two findings of a code counts once."""
    counts: Counter[Code] = Counter()
    for counted in decisions:
        for code in {finding.code for finding in counted.decision.findings}:
            counts[code] += counted.count
    return {code: counts[code] for code in Code if code in counts}


def count_elements(decisions: Iterable[CountedDecision]) -> Mapping[ElementId, int]:
    """Count the skipped instances by element at which they wait, the largest count first.

    An instance that waits at two elements counts at both.
    """
    counts: Counter[ElementId] = Counter()
    for counted in decisions:
        if counted.decision.verdict is Verdict.SKIP:
            for element in counted.decision.cohort.position:
                counts[element] += counted.count
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
