"""Can the instances of a cohort be upgraded, and if not, why not?"""

from collections.abc import Callable
from dataclasses import dataclass

from domain.cohort import Cohort
from domain.compatibility import Relocation
from domain.decision import Decision, ReasonCode, SkipReason
from domain.instance import ACTIVE, ElementId, Position, Status
from domain.process import VersionNumber
from domain.route import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a rule may look at: a cohort, the target version, and where its position would go there."""

    cohort: Cohort
    target: VersionNumber
    relocation: Relocation


Rule = Callable[[Case], SkipReason | None]
"""A rule objects to an upgrade, or not."""


def must_be_pending(case: Case) -> SkipReason | None:
    """Only instances that wait may be upgraded; all other statuses are left alone (RULES.md 2)."""
    if case.cohort.status is Status.PENDING:
        return None
    return SkipReason(
        code=ReasonCode.NOT_PENDING,
        message=f"Expected to upgrade a PENDING instance to version {case.target}, "
        f"but it is {case.cohort.status}.",
    )


def must_be_below_target(case: Case) -> SkipReason | None:
    """An instance on the latest published version, or above it, needs no upgrade (RULES.md 2)."""
    if case.cohort.version < case.target:
        return None
    return SkipReason(
        code=ReasonCode.ALREADY_LATEST,
        message=f"Expected to upgrade to version {case.target}, "
        f"but it is on version {case.cohort.version} already.",
    )


def must_be_compatible(case: Case) -> SkipReason | None:
    """Every element at which an instance waits has a valid pair in the target version (RULES.md 3)."""
    if not case.relocation.errors:
        return None
    findings = case.relocation.errors
    return SkipReason(
        code=ReasonCode.INCOMPATIBLE,
        message=" ".join(finding.message for finding in findings),
        findings=findings,
    )


RULES: tuple[Rule, ...] = (must_be_pending, must_be_below_target, must_be_compatible)
"""All rules of a cohort, in the order in which their reasons are read."""


def decide(cohort: Cohort, route: Route) -> Decision:
    """What happens to every instance of the cohort. All rules run, so that all reasons are known at once."""
    relocation = relocation_of(cohort, route)
    case = Case(cohort=cohort, target=route.target, relocation=relocation)
    reasons = tuple(reason for rule in RULES if (reason := rule(case)) is not None)
    return Decision(
        cohort=cohort,
        to_position=None if reasons else _elements(relocation),
        reasons=reasons,
        warnings=relocation.warnings,
    )


def relocation_of(cohort: Cohort, route: Route) -> Relocation:
    """Where the cohort's position goes; an instance that has ended waits nowhere, so nothing breaks."""
    if cohort.status not in ACTIVE:
        return Relocation(position=cohort.position)
    return route.relocation(cohort.position)


def _elements(relocation: Relocation) -> Position | None:
    return None if relocation.position is None else frozenset(map(ElementId, relocation.position))
