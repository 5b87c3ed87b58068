"""Decides whether the instances of a cohort are upgraded, or moved back by an undo."""

from collections.abc import Callable
from dataclasses import dataclass

from uplift.domain.compatibility import MigratedPosition, joined_messages
from uplift.domain.model.cohort import Cohort, Origin
from uplift.domain.model.decision import Decision, ReasonCode, SkipReason
from uplift.domain.model.instance import ACTIVE, ElementId, Position, Status
from uplift.domain.model.process import VersionNumber
from uplift.domain.rules.migration_path import MigrationPath


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The input of a rule: a cohort, the target version, and the migrated position of the cohort."""

    cohort: Cohort
    target: VersionNumber
    migrated_position: MigratedPosition


Rule = Callable[[Case], SkipReason | None]
"""Returns the reason to skip the cohort, or None if the rule holds."""


def must_be_pending(case: Case) -> SkipReason | None:
    """The status is PENDING: only a waiting instance can be moved (rules.md#the-instance)."""
    if case.cohort.status is Status.PENDING:
        return None
    return SkipReason(
        code=ReasonCode.NOT_PENDING,
        message=f"Expected to move a PENDING instance to version {case.target}, "
        f"but it is {case.cohort.status}.",
    )


def must_be_below_target(case: Case) -> SkipReason | None:
    """The instance is below the target version, so that it needs the upgrade (rules.md#the-instance)."""
    if case.cohort.version < case.target:
        return None
    return SkipReason(
        code=ReasonCode.ALREADY_LATEST,
        message=f"Expected to upgrade the instance to version {case.target}, "
        f"but it is already on version {case.cohort.version}.",
    )


def must_be_compatible(case: Case) -> SkipReason | None:
    """Each element of the position has a valid pair in the target version (rules.md#the-mapping)."""
    findings = case.migrated_position.errors
    if not findings:
        return None
    return SkipReason(
        code=ReasonCode.INCOMPATIBLE,
        message=joined_messages(findings),
        findings=findings,
    )


def must_be_where_it_was_put(case: Case) -> SkipReason | None:
    """The instance still has the version and position to which the upgrade moved it.

    An undo would otherwise discard what happened to the instance since.
    """
    origin = case.cohort.origin
    if origin is None or _is_where_it_was_put(case.cohort, origin):
        return None
    return SkipReason(
        code=ReasonCode.MOVED_ON,
        message=f"Expected the instance to still be on version {origin.put_version} "
        f"at {_named(origin.put_position)}, "
        f"but it is on version {case.cohort.version} at {_named(case.cohort.position)}.",
    )


RULES: tuple[Rule, ...] = (must_be_pending, must_be_below_target, must_be_compatible)
"""The rules of an upgrade, in the order in which the reasons are listed."""

UNDO_RULES: tuple[Rule, ...] = (must_be_pending, must_be_where_it_was_put)
"""The rules of an undo. It needs no compatibility: the instance waited at its old position before."""


def decide(cohort: Cohort, migration_path: MigrationPath) -> Decision:
    """Decide what an upgrade does to every instance of the cohort, with the reasons of all broken rules."""
    return _decide(
        RULES,
        Case(
            cohort=cohort,
            target=migration_path.target,
            migrated_position=_migrated_position(cohort, migration_path),
        ),
    )


def decide_undo(cohort: Cohort, origin: Origin) -> Decision:
    """Decide what an undo does to every instance of the cohort, which came from this origin."""
    old_position = MigratedPosition(position=origin.position)
    return _decide(UNDO_RULES, Case(cohort=cohort, target=origin.version, migrated_position=old_position))


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
    # An instance that has ended waits nowhere, so there is nothing to be compatible.
    if cohort.status not in ACTIVE:
        return MigratedPosition(position=cohort.position)
    return migration_path.migrate(cohort.position)


def _new_position(migrated_position: MigratedPosition) -> Position:
    assert migrated_position.position is not None, "without a position, must_be_compatible has a reason"
    return frozenset(map(ElementId, migrated_position.position))


def _is_where_it_was_put(cohort: Cohort, origin: Origin) -> bool:
    return (cohort.version, cohort.position) == (origin.put_version, origin.put_position)


def _named(position: Position) -> str:
    return ", ".join(f"'{element}'" for element in sorted(position)) or "no known element"
