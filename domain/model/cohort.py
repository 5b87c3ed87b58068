"""Groups the instances that the rules treat alike."""

from dataclasses import dataclass

from uplift.domain.model.instance import Position, Status
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
