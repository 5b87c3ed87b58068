"""Groups the instances that the rules treat alike."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from uplift.domain.model.instance import ACTIVE, ElementId, Position, Status
from uplift.domain.model.process import VersionNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an upgrade found an instance (`version`, `position`), and where it put the instance."""

    version: VersionNumber
    position: Position
    put_version: VersionNumber
    put_position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The facts about an instance that rules depend on; all instances of a cohort share them.

    `origin` is set in an undo only.
    """

    version: VersionNumber
    status: Status
    position: Position
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedCohort:
    """A cohort, and how many instances of a selection are in it."""

    cohort: Cohort
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionCount:
    """How many active instances a version has."""

    version: VersionNumber
    pending: int
    running: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCount:
    """How many active instances of a version wait at an element: each counts at all of its elements."""

    element: ElementId
    pending: int
    running: int


def count_active(counted: Iterable[CountedCohort], *, before: VersionNumber | None = None) -> int:
    """How many instances of these cohorts have not ended; with `before`, only those on an earlier version."""
    return sum(
        cohort.count
        for cohort in counted
        if cohort.cohort.status in ACTIVE and (before is None or cohort.cohort.version < before)
    )


def active_by_version(counted: Iterable[CountedCohort]) -> tuple[VersionCount, ...]:
    """The versions with active instances, by number."""
    counts: Counter[tuple[VersionNumber, Status]] = Counter()
    for cohort in counted:
        counts[cohort.cohort.version, cohort.cohort.status] += cohort.count
    return tuple(
        VersionCount(
            version=version, pending=counts[version, Status.PENDING], running=counts[version, Status.RUNNING]
        )
        for version in sorted({version for version, status in counts if status in ACTIVE})
    )


def tokens(counted: Iterable[CountedCohort], version: VersionNumber) -> tuple[TokenCount, ...]:
    """The elements at which active instances of a version wait, by id."""
    counts: Counter[tuple[ElementId, Status]] = Counter()
    for cohort in counted:
        if cohort.cohort.version == version and cohort.cohort.status in ACTIVE:
            for element in cohort.cohort.position:
                counts[element, cohort.cohort.status] += cohort.count
    return tuple(
        TokenCount(
            element=element, pending=counts[element, Status.PENDING], running=counts[element, Status.RUNNING]
        )
        for element in sorted({element for element, _ in counts})
    )
