"""Defines the conditions by which a selection chooses among the active instances of a process."""

from dataclasses import dataclass

from uplift.domain.model.cohort import Cohort
from uplift.domain.model.instance import ACTIVE, ElementId, Status
from uplift.domain.model.process import VersionNumber

MAX_CONDITIONS = 1_000
"""Versions and elements that one selection may name, in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What a selection requires of an active instance; None requires nothing.

    The instance is pinned to one of `versions`, waits at one of `elements` at least, alone or among others,
    and has one of `statuses`. With a `limit`, the selection is the first so many of these instances, in the
    order of registration.
    """

    versions: tuple[VersionNumber, ...] | None = None
    elements: tuple[ElementId, ...] | None = None
    statuses: tuple[Status, ...] | None = None
    limit: int | None = None

    def are_met_by(self, cohort: Cohort) -> bool:
        """Whether the instances of a cohort are active and meet the conditions, apart from the limit."""
        return (
            cohort.status in ACTIVE
            and (self.versions is None or cohort.version in self.versions)
            and (self.statuses is None or cohort.status in self.statuses)
            and (self.elements is None or not cohort.position.isdisjoint(self.elements))
        )

    def plain(self) -> list[object]:
        """The conditions as values of JSON, the same ones for equal conditions."""
        return [
            None if self.versions is None else list(self.versions),
            None if self.elements is None else list(self.elements),
            None if self.statuses is None else [status.value for status in self.statuses],
            self.limit,
        ]
