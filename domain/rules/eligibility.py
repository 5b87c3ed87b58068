"""Can the instances of a cohort be upgraded or taken back, and if not, why not?"""

from collections.abc import Callable
from dataclasses import dataclass

from uplift.domain.compatibility import MigratedPosition
from uplift.domain.model.cohort import Cohort, Origin
from uplift.domain.model.decision import Decision, ReasonCode, SkipReason
from uplift.domain.model.instance import ACTIVE, ElementId, Position, Status
from uplift.domain.model.process import VersionNumber
from uplift.domain.rules.migration_path import MigrationPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a rule may look at: a cohort, the target version, and where its position would go there."""

    cohort: Cohort
    target: VersionNumber
    migrated_position: MigratedPosition


Rule = Callable[[Case], SkipReason | None]
"""A rule objects to an upgrade, or not."""


def must_be_pending(case: Case) -> SkipReason | None:
    """Only instances that wait may be moved; all other statuses are left alone (rules.md#the-instance)."""
    if case.cohort.status is Status.PENDING:
        return None
    return SkipReason(
        code=ReasonCode.NOT_PENDING,
        message=f"Expected to move a PENDING instance to version {case.target}, "
        f"but it is {case.cohort.status}.",
    )


def must_be_below_target(case: Case) -> SkipReason | None:
    """An instance on the latest published version, or above it, needs no upgrade (rules.md#the-instance)."""
    if case.cohort.version < case.target:
        return None
    return SkipReason(
        code=ReasonCode.ALREADY_LATEST,
        message=f"Expected to upgrade to version {case.target}, "
        f"but it is on version {case.cohort.version} already.",
    )


def must_be_compatible(case: Case) -> SkipReason | None:
    """Each element of the position has a valid pair in the target version (rules.md#the-mapping)."""
    findings = case.migrated_position.errors
    if not findings:
        return None
    return SkipReason(
        code=ReasonCode.INCOMPATIBLE,
        message=" ".join(finding.message for finding in findings),
        findings=findings,
    )


def must_be_where_it_was_put(case: Case) -> SkipReason | None:
    """An undo takes back only what nobody has moved since: same version, same position."""
    origin = case.cohort.origin
    if origin is None or _is_where_it_was_put(case.cohort, origin):
        return None
    return SkipReason(
        code=ReasonCode.MOVED_ON,
        message=f"Expected to find it on version {origin.put_version} at {_named(origin.put_position)}, "
        f"but it is on version {case.cohort.version} at {_named(case.cohort.position)}.",
    )


RULES: tuple[Rule, ...] = (must_be_pending, must_be_below_target, must_be_compatible)
"""All rules of an upgrade, in the order in which their reasons are read."""

UNDO_RULES: tuple[Rule, ...] = (must_be_pending, must_be_where_it_was_put)
"""All rules of an undo. An instance fits where it came from: it waited there."""


def decide(cohort: Cohort, migration_path: MigrationPath) -> Decision:
    """What an upgrade does to every instance of the cohort. All rules run, so that all reasons are known."""
    return _decide(
        RULES,
        Case(
            cohort=cohort,
            target=migration_path.target,
            migrated_position=_migrated_position(cohort, migration_path),
        ),
    )


def decide_undo(cohort: Cohort, origin: Origin) -> Decision:
    """What an undo does to every instance of the cohort, which came from this origin."""
    back = MigratedPosition(position=origin.position)
    return _decide(UNDO_RULES, Case(cohort=cohort, target=origin.version, migrated_position=back))


def _decide(rules: tuple[Rule, ...], case: Case) -> Decision:
    reasons = tuple(reason for rule in rules if (reason := rule(case)) is not None)
    return Decision(
        cohort=case.cohort,
        to_version=None if reasons else case.target,
        to_position=None if reasons else _new_position(case.migrated_position),
        reasons=reasons,
        warnings=case.migrated_position.warnings,
    )


def _migrated_position(cohort: Cohort, migration_path: MigrationPath) -> MigratedPosition:
    """Where the cohort's position goes; an instance that has ended waits nowhere, so nothing breaks."""
    if cohort.status not in ACTIVE:
        return MigratedPosition(position=cohort.position)
    return migration_path.migrated_position(cohort.position)


def _new_position(migrated_position: MigratedPosition) -> Position:
    assert migrated_position.position is not None, "a position that goes nowhere breaks a rule"
    return frozenset(map(ElementId, migrated_position.position))


def _is_where_it_was_put(cohort: Cohort, origin: Origin) -> bool:
    return (cohort.version, cohort.position) == (origin.put_version, origin.put_position)


def _named(position: Position) -> str:
    return ", ".join(f"'{element}'" for element in sorted(position)) or "no known element"
