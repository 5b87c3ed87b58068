"""Reads, registers and updates process instances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from uplift.domain.errors import InvalidInput
from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.instance import ElementId, Instance, InstanceId, InstanceReport, Status
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.model.selection import Selection
from uplift.domain.model.upgrade import HistoryEntry

MAX_LISTED = 1_000
"""The most versions, elements or ids in a filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceFilter:
    """Restricts a list of instances; None means any.

    `elements` lets an instance through that waits at one of them, alone or among others. At most MAX_LISTED
    values of each kind are allowed.
    """

    statuses: frozenset[Status] | None = None
    versions: frozenset[VersionNumber] | None = None
    elements: frozenset[ElementId] | None = None
    ids: frozenset[InstanceId] | None = None

    def __post_init__(self) -> None:
        """Raises InvalidInput if there are too many values of a kind."""
        for field, values in (("versions", self.versions), ("elements", self.elements), ("ids", self.ids)):
            if values is not None and len(values) > MAX_LISTED:
                raise InvalidInput(
                    f"Expected {field} to have at most {MAX_LISTED:,} values, but got {len(values):,}.",
                    field=("filter", field),
                )

    def shows(self, instance: Instance) -> bool:
        """Whether the filter lets an instance through."""
        cohort = Cohort(version=instance.version, status=instance.status, position=instance.position)
        return self.shows_cohort(cohort) and (self.ids is None or instance.id in self.ids)

    def shows_cohort(self, cohort: Cohort) -> bool:
        """Whether the filter lets the instances of a cohort through, if it names no ids."""
        return (
            (self.statuses is None or cohort.status in self.statuses)
            and (self.versions is None or cohort.version in self.versions)
            and (self.elements is None or not self.elements.isdisjoint(cohort.position))
        )


ANY_INSTANCE = InstanceFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedCohorts:
    """The instances of a selection at one moment, grouped by cohort.

    `not_found` counts ids that no instance of the process has, `excluded` the active instances that the
    selection leaves out.
    """

    cohorts: tuple[CountedCohort, ...]
    not_found: int
    excluded: int


class InstanceQueries(Protocol):
    """Reads committed instances. Each statement reads its own snapshot and waits for no writer.

    Lists follow the order of registration unless stated otherwise.
    """

    async def find_many(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        """Return the instances that exist, by id and in the order of `ids`."""
        ...

    async def pages(
        self, process_keys: Sequence[ProcessKey], instance_filter: InstanceFilter, page: PageRequest
    ) -> Mapping[ProcessKey, Page[Instance]]:
        """Return the same page of the instances of each process.

        A page of a filtered list may end early, with `Page.end`: how many instances it looks at is bounded.
        """
        ...

    async def cohorts(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[CountedCohort, ...]]:
        """Count all instances of each process: by version, then status, the largest cohort first.

        Of one moment, and ideally as fast for many instances as for few: keep the counts.
        """
        ...

    async def count_active(self, process_key: ProcessKey) -> int:
        """Count the instances of a process that have not ended."""
        ...

    async def selected_cohorts(self, process_key: ProcessKey, selection: Selection) -> SelectedCohorts:
        """Count the instances of a selection by version, status and position, all of one moment."""
        ...

    async def cohort_pages(
        self, process_key: ProcessKey, selection: Selection, cohorts: Sequence[Cohort], page: PageRequest
    ) -> Mapping[Cohort, Page[Instance]]:
        """Return the same page of the selected instances of each cohort."""
        ...

    async def histories(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, tuple[HistoryEntry, ...]]:
        """Return what upgrades did to each of these instances, the oldest first."""
        ...


class InstanceRepository(Protocol):
    """Registers and updates instances within a transaction. The process must exist."""

    async def lock(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, ProcessKey]:
        """Lock the instances that exist and return the process of each.

        Locks in the order of registration, as chunks do, so that two transactions do not wait for each
        other in a circle. No other transaction moves or updates the instances until this one ends.
        """
        ...

    async def register(self, process_key: ProcessKey, instances: Sequence[Instance]) -> None:
        """Add instances, each id once; of an instance that exists, only status and position change.

        Raises StoreUnavailable when another process registers one of the new ids concurrently.
        """
        ...

    async def report(self, process_key: ProcessKey, reports: Sequence[InstanceReport]) -> None:
        """Change status and position of existing instances of the process; the last report of an id wins."""
        ...

    async def prune_positions(self, limit: int) -> int:
        """Delete up to `limit` stored positions that no instance and no decision has; return their number.

        A position may stay for any reason, but 0 means that none can be deleted now. A store that does not
        store positions by themselves returns 0.
        """
        ...
