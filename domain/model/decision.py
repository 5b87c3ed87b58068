"""What the rules say of a cohort, and so of each instance in it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from uplift.domain.compatibility import Code, Finding
from uplift.domain.model.cohort import Cohort
from uplift.domain.model.instance import Position
from uplift.domain.model.process import VersionNumber


class Verdict(StrEnum):
    """Whether a cohort is upgraded."""

    UPGRADE = "UPGRADE"
    SKIP = "SKIP"


class ReasonCode(StrEnum):
    """The stable codes of why an instance is skipped (rules.md#the-instance)."""

    INSTANCE_NOT_FOUND = "INSTANCE_NOT_FOUND"
    NOT_PENDING = "NOT_PENDING"
    ALREADY_LATEST = "ALREADY_LATEST"
    INCOMPATIBLE = "INCOMPATIBLE"
    MOVED_ON = "MOVED_ON"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipReason:
    """One reason why an instance is left alone, as a code and as a sentence for an operator.

    `findings` says what makes a position INCOMPATIBLE; the other reasons have none.
    """

    code: ReasonCode
    message: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """UPGRADE to `to_version` and `to_position`, or SKIP with every reason that holds (then both are None).

    `warnings` never stand in the way.
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
        """All there is to know: what makes the position INCOMPATIBLE, then the warnings."""
        return (*(finding for reason in self.reasons for finding in reason.findings), *self.warnings)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedDecision:
    """A decision and how many instances it concerned."""

    decision: Decision
    count: int


INSTANCE_NOT_FOUND = SkipReason(
    code=ReasonCode.INSTANCE_NOT_FOUND, message="No instance of this process has this id."
)
"""Why an id that was asked for is skipped when no instance of the process has it."""


def count_reasons(skips: Iterable[CountedDecision], *, not_found: int) -> Mapping[ReasonCode, int]:
    """How many instances were skipped for each reason; one with two reasons counts under both."""
    counts: Counter[ReasonCode] = Counter()
    for counted in skips:
        for reason in counted.decision.reasons:
            counts[reason.code] += counted.count
    if not_found:
        counts[ReasonCode.INSTANCE_NOT_FOUND] = not_found
    return {code: counts[code] for code in ReasonCode if code in counts}


def count_findings(decisions: Iterable[CountedDecision]) -> Mapping[Code, int]:
    """How many instances have a finding of each code; one with two of a code counts once."""
    counts: Counter[Code] = Counter()
    for counted in decisions:
        for code in {finding.code for finding in counted.decision.findings}:
            counts[code] += counted.count
    return {code: counts[code] for code in Code if code in counts}
