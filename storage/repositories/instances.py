"""Implements the ports of instances."""

from collections.abc import Mapping, Sequence

from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.instance import Instance, InstanceId, InstanceReport
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import Selection
from uplift.domain.model.upgrade import HistoryEntry
from uplift.domain.ports import InstanceFilter, SelectedCohorts
from uplift.storage.repositories.sessions import Reading, Session
from uplift.storage.statements import histories, instances, selections


class SqlInstanceQueries:
    """Implements uplift.domain.ports.InstanceQueries."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def find_many(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        async with self._reading() as (connection, surrogate_keys):
            return await instances.find_instances(connection, surrogate_keys, ids)

    async def pages(
        self, process_keys: Sequence[ProcessKey], instance_filter: InstanceFilter, page: PageRequest
    ) -> Mapping[ProcessKey, Page[Instance]]:
        async with self._reading() as (connection, surrogate_keys):
            return await instances.instance_pages(
                connection, surrogate_keys, process_keys, instance_filter, page
            )

    async def cohorts(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[CountedCohort, ...]]:
        async with self._reading() as (connection, surrogate_keys):
            return await instances.count_cohorts(connection, surrogate_keys, process_keys)

    async def count_active(self, process_key: ProcessKey) -> int:
        async with self._reading() as (connection, surrogate_keys):
            process_id = await surrogate_keys.process_id(process_key)
            return 0 if process_id is None else await selections.count_active(connection, process_id)

    async def selected_cohorts(self, process_key: ProcessKey, selection: Selection) -> SelectedCohorts:
        async with self._reading() as (connection, surrogate_keys):
            process_id = await surrogate_keys.process_id(process_key)
            if process_id is None:
                return SelectedCohorts(cohorts=(), not_found=selection.size or 0, excluded=0)
            return await selections.selected_cohorts(connection, surrogate_keys, process_id, selection)

    async def cohort_pages(
        self, process_key: ProcessKey, selection: Selection, cohorts: Sequence[Cohort], page: PageRequest
    ) -> Mapping[Cohort, Page[Instance]]:
        async with self._reading() as (connection, surrogate_keys):
            process_id = await surrogate_keys.process_id(process_key)
            if process_id is None:
                return {cohort: page_of((), page.first) for cohort in cohorts}
            return await selections.cohort_pages(
                connection, surrogate_keys, process_id, selection, cohorts, page
            )

    async def histories(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, tuple[HistoryEntry, ...]]:
        async with self._reading() as (connection, surrogate_keys):
            return await histories.find_histories(connection, surrogate_keys, ids)


class SqlInstanceRepository:
    """Implements uplift.domain.ports.InstanceRepository."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._existing: set[InstanceId] = set()

    async def lock(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, ProcessKey]:
        owners = await instances.find_owners(self._session.connection, self._session.surrogate_keys, ids)
        self._existing.update(owners)
        return owners

    async def register(self, process_key: ProcessKey, new: Sequence[Instance]) -> None:
        await instances.register(
            self._session.connection,
            self._session.surrogate_keys,
            await self._session.process_id(process_key),
            new,
            may_be_new=self._existing.isdisjoint(instance.id for instance in new),
        )

    async def report(self, process_key: ProcessKey, reports: Sequence[InstanceReport]) -> None:
        process_id = await self._session.process_id(process_key)
        await instances.report(self._session.connection, self._session.surrogate_keys, process_id, reports)
