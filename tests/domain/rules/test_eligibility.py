"""Each rule of an upgrade, once kept and once broken."""

import pytest

from uplift.domain import Decision, ReasonCode, SkipReason, Status, Verdict, VersionNumber, decide
from uplift.domain.compatibility import Code, Finding, MigratedPosition
from uplift.domain.rules.eligibility import (
    RULES,
    Case,
    must_be_below_target,
    must_be_compatible,
    must_be_pending,
)
from uplift.domain.rules.migration_path import MigrationPath
from uplift.testing.builders import a_cohort, at

TARGET = VersionNumber(3)
TO_TARGET = MigrationPath(target=TARGET)
NOT_PENDING = [status for status in Status if status is not Status.PENDING]


def a_case(
    version: int = 1, status: Status = Status.PENDING, migrated_position: MigratedPosition | None = None
) -> Case:
    cohort = a_cohort(version, status)
    return Case(
        cohort=cohort,
        target=TARGET,
        migrated_position=migrated_position or MigratedPosition(position=cohort.position),
    )


def a_finding(element: str) -> Finding:
    return Finding(code=Code.ELEMENT_MISSING, message=f"'{element}' is gone.", source=element)


def test_upgrades_an_instance_that_is_pending() -> None:
    assert must_be_pending(a_case()) is None


@pytest.mark.parametrize("status", NOT_PENDING)
def test_leaves_an_instance_that_is_not_pending(status: Status) -> None:
    assert must_be_pending(a_case(status=status)) == SkipReason(
        code=ReasonCode.NOT_PENDING,
        message=f"Expected to move a PENDING instance to version 3, but it is {status}.",
    )


@pytest.mark.parametrize("version", [1, 2])
def test_upgrades_an_instance_below_the_target(version: int) -> None:
    assert must_be_below_target(a_case(version)) is None


@pytest.mark.parametrize("version", [3, 4, 100])
def test_leaves_an_instance_that_is_on_the_target_version_or_above(version: int) -> None:
    assert must_be_below_target(a_case(version)) == SkipReason(
        code=ReasonCode.ALREADY_LATEST,
        message=f"Expected to upgrade the instance to version 3, but it is already on version {version}.",
    )


def test_upgrades_an_instance_whose_position_fits_into_the_target() -> None:
    assert must_be_compatible(a_case(migrated_position=MigratedPosition(position=at("elsewhere")))) is None


def test_leaves_an_instance_whose_position_does_not_fit_with_every_finding() -> None:
    findings = (a_finding("one"), a_finding("two"))
    assert must_be_compatible(
        a_case(migrated_position=MigratedPosition(position=None, errors=findings))
    ) == SkipReason(code=ReasonCode.INCOMPATIBLE, message="'one' is gone. 'two' is gone.", findings=findings)


def test_an_instance_that_breaks_no_rule_is_upgraded_where_it_waits() -> None:
    cohort = a_cohort(2, position=at("a", "b"))
    decision = decide(cohort, TO_TARGET)
    assert decision == Decision(cohort=cohort, to_version=TARGET, to_position=at("a", "b"))
    assert decision.verdict is Verdict.UPGRADE


def test_all_reasons_are_reported_together_in_the_order_of_the_rules() -> None:
    decision = decide(a_cohort(3, Status.FAILED), TO_TARGET)
    assert [reason.code for reason in decision.reasons] == [ReasonCode.NOT_PENDING, ReasonCode.ALREADY_LATEST]
    assert (decision.to_version, decision.to_position) == (None, None)
    assert decision.verdict is Verdict.SKIP


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_only_pending_instances_below_the_target_are_upgraded(version: int, status: Status) -> None:
    decision = decide(a_cohort(version, status), TO_TARGET)
    is_upgraded = status is Status.PENDING and version < 3
    assert decision.verdict is (Verdict.UPGRADE if is_upgraded else Verdict.SKIP)
    assert (decision.to_position is None) is bool(decision.reasons)


def test_an_empty_position_is_upgraded_too() -> None:
    assert decide(a_cohort(position=at()), TO_TARGET).to_position == at()


def test_rules_are_run_in_reading_order() -> None:
    assert (must_be_pending, must_be_below_target, must_be_compatible) == RULES
