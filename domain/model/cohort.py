"""Which instances the rules cannot tell apart."""

from dataclasses import dataclass

from uplift.domain.model.instance import Position, Status
from uplift.domain.model.process import VersionNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What an undo knows of an instance: where the upgrade found it, and where it put it."""

    version: VersionNumber
    position: Position
    put_version: VersionNumber
    put_position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """What all its instances share: the only facts about an instance that a rule may look at."""

    version: VersionNumber
    status: Status
    position: Position
    origin: Origin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedCohort:
    """A cohort and how many instances of a selection are in it."""

    cohort: Cohort
    count: int
