"""Can the instances of a cohort be upgraded, and if not, why not?"""

from collections.abc import Callable

from domain.cohort import Cohort
from domain.decision import Decision, ReasonCode, SkipReason
from domain.instance import Status
from domain.process import VersionNumber

Rule = Callable[[Cohort, VersionNumber], SkipReason | None]
"""A rule looks at a cohort and the number of the target version, and objects or not."""


def must_be_pending(cohort: Cohort, target: VersionNumber) -> SkipReason | None:
    """Only instances that wait may be upgraded; all other statuses are left alone (RULES.md 2)."""
    if cohort.status is Status.PENDING:
        return None
    return SkipReason(
        code=ReasonCode.NOT_PENDING,
        message=f"Expected to upgrade a PENDING instance to version {target}, but it is {cohort.status}.",
    )


def must_be_below_target(cohort: Cohort, target: VersionNumber) -> SkipReason | None:
    """An instance on the latest published version, or above it, needs no upgrade (RULES.md 2)."""
    if cohort.version < target:
        return None
    return SkipReason(
        code=ReasonCode.ALREADY_LATEST,
        message=f"Expected to upgrade to version {target}, but it is on version {cohort.version} already.",
    )


RULES: tuple[Rule, ...] = (must_be_pending, must_be_below_target)
"""All rules of a cohort, in the order in which their reasons are read."""


def decide(cohort: Cohort, target: VersionNumber) -> Decision:
    """What happens to every instance of the cohort. All rules run, so that all reasons are known at once."""
    reasons = tuple(reason for rule in RULES if (reason := rule(cohort, target)) is not None)
    return Decision(cohort=cohort, to_position=None if reasons else cohort.position, reasons=reasons)
