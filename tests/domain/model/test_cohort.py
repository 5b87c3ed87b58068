"""Counts of active instances are added up from those of cohorts."""

from uplift.domain import CountedCohort, Status, VersionNumber
from uplift.domain.model.cohort import TokenCount, VersionCount, active_by_version, count_active, tokens
from uplift.domain.model.instance import ElementId
from uplift.testing.builders import a_cohort, at

ONE, TWO, THREE = VersionNumber(1), VersionNumber(2), VersionNumber(3)
COUNTED = [
    CountedCohort(cohort=a_cohort(version=version, status=status, position=at(*elements)), count=count)
    for version, status, elements, count in [
        (2, Status.PENDING, ("pay", "check"), 1),
        (2, Status.PENDING, ("pay",), 10),
        (2, Status.RUNNING, ("pay",), 100),
        (2, Status.FAILED, ("ship",), 1_000),
        (1, Status.RUNNING, (), 10_000),
        (3, Status.COMPLETED, ("pay",), 100_000),
    ]
]


def test_only_instances_that_have_not_ended_are_active() -> None:
    assert count_active(COUNTED) == 10_111
    assert count_active(COUNTED, before=TWO) == 10_000
    assert count_active(COUNTED, before=THREE) == 10_111
    assert count_active([]) == 0


def test_versions_without_active_instances_are_absent() -> None:
    assert active_by_version(COUNTED) == (
        VersionCount(version=ONE, pending=0, running=10_000),
        VersionCount(version=TWO, pending=11, running=100),
    )


def test_an_instance_counts_at_each_of_its_elements() -> None:
    assert tokens(COUNTED, TWO) == (
        TokenCount(element=ElementId("check"), pending=1, running=0),
        TokenCount(element=ElementId("pay"), pending=11, running=100),
    )
    assert tokens(COUNTED, ONE) == tokens(COUNTED, THREE) == ()
