"""Implements the ports of instances in memory."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.conditions import Conditions
from uplift.domain.model.instance import Instance, InstanceId, InstanceReport
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import Selection
from uplift.domain.model.upgrade import HistoryEntry
from uplift.domain.ports import ANY_INSTANCE, InstanceFilter, SelectedCohorts
from uplift.storage.memory import queries
from uplift.storage.memory.state import Committed, State, cohort_of, put_instance


class InstanceQueriesInMemory:
    """Implements uplift.domain.ports.InstanceQueries."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed

    @property
    def _state(self) -> State:
        return self._committed.state

    async def find_many(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        known = self._state.instances
        return {instance_id: known[instance_id] for instance_id in ids if instance_id in known}

    async def pages(
        self, process_keys: Sequence[ProcessKey], instance_filter: InstanceFilter, page: PageRequest
    ) -> Mapping[ProcessKey, Page[Instance]]:
        return {
            process_key: queries.page_along(
                queries.instances_in(self._state, process_key),
                page,
                None if instance_filter == ANY_INSTANCE else instance_filter.shows,
            )
            for process_key in process_keys
        }

    async def cohorts(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[CountedCohort, ...]]:
        return {
            process_key: queries.sorted_counts(self._state.counts.of(process_key))
            for process_key in process_keys
        }

    async def count_active(self, process_key: ProcessKey) -> int:
        return sum(queries.active_counts(self._state, process_key).values())

    async def selected_cohorts(self, process_key: ProcessKey, selection: Selection) -> SelectedCohorts:
        listed = queries.listed_in(self._state, process_key, selection)
        if selection.size is not None:
            counts = Counter(cohort_of(instance) for instance in listed)
            not_found = selection.size - len(listed)
            return SelectedCohorts(cohorts=queries.sorted_counts(counts), not_found=not_found, excluded=0)
        conditions = selection.conditions or Conditions()
        excluded = Counter(cohort for cohort in map(cohort_of, listed) if conditions.are_met_by(cohort))
        if conditions.limit is not None:
            first = queries.selected_in(self._state, process_key, selection)
            return SelectedCohorts(
                cohorts=queries.sorted_counts(Counter(map(cohort_of, first))),
                not_found=0,
                excluded=excluded.total(),
            )
        active = queries.active_counts(self._state, process_key).items()
        remaining = {cohort: count for cohort, count in active if conditions.are_met_by(cohort)}
        for cohort, count in excluded.items():
            remaining[cohort] -= count
        return SelectedCohorts(
            cohorts=queries.sorted_counts({cohort: count for cohort, count in remaining.items() if count}),
            not_found=0,
            excluded=excluded.total(),
        )

    async def cohort_pages(
        self, process_key: ProcessKey, selection: Selection, cohorts: Sequence[Cohort], page: PageRequest
    ) -> Mapping[Cohort, Page[Instance]]:
        selected = {instance.id for instance in queries.selected_in(self._state, process_key, selection)}
        by_cohort: dict[Cohort, list[tuple[int, Instance]]] = {cohort: [] for cohort in cohorts}
        for place, instance in enumerate(queries.instances_in(self._state, process_key), start=1):
            cohort = cohort_of(instance)
            if instance.id in selected and place > (page.after or 0) and cohort in by_cohort:
                by_cohort[cohort].append((place, instance))
        return {cohort: page_of(rows, page.first) for cohort, rows in by_cohort.items()}

    async def histories(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, tuple[HistoryEntry, ...]]:
        state = self._state
        return {
            instance_id: tuple(
                HistoryEntry(upgrade=upgrade, outcome=queries.outcome_of(state, upgrade.id, instance_id))
                for upgrade in state.upgrades.values()
                if (upgrade.id, instance_id) in state.recorded
            )
            for instance_id in ids
        }


class InstanceRepositoryInMemory:
    """Implements uplift.domain.ports.InstanceRepository."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def lock(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, ProcessKey]:
        known = self._state.instances
        return {instance_id: known[instance_id].process for instance_id in ids if instance_id in known}

    async def register(self, _: ProcessKey, instances: Sequence[Instance]) -> None:
        for instance in instances:
            known = self._state.instances.get(instance.id)
            registered = instance if known is None else replace(instance, version=known.version)
            put_instance(self._state, registered)

    async def report(self, _: ProcessKey, reports: Sequence[InstanceReport]) -> None:
        for report in reports:
            known = self._state.instances[report.id]
            reported = replace(known, status=report.status, position=report.position)
            put_instance(self._state, reported)

    async def prune_positions(self, _: int) -> int:
        return 0
