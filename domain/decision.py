"""What the rules say of a cohort, and so of each instance in it."""

from dataclasses import dataclass
from enum import StrEnum

from domain.cohort import Cohort
from domain.instance import Position


class Verdict(StrEnum):
    """Whether a cohort is upgraded."""

    UPGRADE = "UPGRADE"
    SKIP = "SKIP"


class ReasonCode(StrEnum):
    """The stable codes of why an instance is skipped (RULES.md 2)."""

    INSTANCE_NOT_FOUND = "INSTANCE_NOT_FOUND"
    NOT_PENDING = "NOT_PENDING"
    ALREADY_LATEST = "ALREADY_LATEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipReason:
    """One reason why an instance is left alone, as a code and as a sentence for an operator."""

    code: ReasonCode
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """UPGRADE to `to_position`, or SKIP with every reason that holds (then `to_position` is None)."""

    cohort: Cohort
    to_position: Position | None
    reasons: tuple[SkipReason, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return Verdict.SKIP if self.reasons else Verdict.UPGRADE


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedDecision:
    """A decision and how many instances it concerned."""

    decision: Decision
    count: int


INSTANCE_NOT_FOUND = SkipReason(
    code=ReasonCode.INSTANCE_NOT_FOUND, message="No instance of this process has this id."
)
"""Why an id that was asked for is skipped when no instance of the process has it."""
