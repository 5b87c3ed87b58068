"""Stages what a sweep of a linked engine sees, and merges it into the instances of the link.

All methods need the lock of the link. A sweep takes many transactions: it clears what an earlier one left,
stages what it sees, merges it along the instance ids, then asks for the instances that it did not see.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from uplift.domain.model.instance import ElementId, InstanceId, Position
from uplift.domain.model.link import EngineInstanceId
from uplift.domain.model.process import ProcessKey, VersionNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A sweep saw an instance on a version, waiting at an element, or anywhere (None)."""

    engine_id: EngineInstanceId
    process: ProcessKey
    version: VersionNumber
    element: ElementId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptInstance:
    """What a sweep saw of one instance: the version that it saw last, and the elements seen with it."""

    id: InstanceId
    engine_id: EngineInstanceId
    process: ProcessKey
    version: VersionNumber
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedInstances:
    """How many instances a merge registered, and how many known ones it changed.

    `ordered` have an ORDERED or SENT order, whose answer decides on them, and `foreign` are instances of
    another process: both stay as they are.
    """

    registered: int
    changed: int
    ordered: int
    foreign: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenInstance:
    """An active instance of a linked process that a sweep did not see."""

    id: InstanceId
    engine_id: EngineInstanceId


@dataclass(frozen=True, slots=True, kw_only=True)
class UnseenInstances:
    """The unseen ones of some active instances. `next` is where the following ones begin; None at the end."""

    instances: tuple[UnseenInstance, ...]
    next: int | None


class Sweeps(Protocol):
    """The sightings of a locked link."""

    async def stage(self, sightings: Sequence[Sighting]) -> None:
        """Store sightings. A sighting of an instance on another version replaces the earlier ones."""
        ...

    async def staged(self, after: InstanceId | None, limit: int) -> Sequence[SweptInstance]:
        """Return the next `limit` staged instances along their ids; fewer only at the end."""
        ...

    async def merge(self, swept: Sequence[SweptInstance]) -> MergedInstances:
        """Register the new ones of these instances as PENDING, and give known ones version and position.

        Locks the known instances along their registration. A known instance becomes PENDING, whatever it was.
        The versions must be published. Kept counts of cohorts change with the instances.
        """
        ...

    async def unseen(self, process: ProcessKey, after: int, limit: int) -> UnseenInstances:
        """Return those of the next `limit` active instances of a process that are not staged.

        `after` is 0 or the `next` of the call before. Leaves out those with an ORDERED or SENT order.
        """
        ...

    async def complete(self, ids: Sequence[InstanceId]) -> int:
        """Make active instances of the link COMPLETED, except those with an ORDERED or SENT order."""
        ...

    async def clear(self, limit: int) -> int:
        """Delete up to `limit` staged rows, and return their number; 0 when nothing is staged."""
        ...
