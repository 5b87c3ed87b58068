"""Implements the ports of processes and versions in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from uplift.domain.model.access import Namespaces
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import (
    Process,
    ProcessKey,
    ProcessState,
    Version,
    VersionModel,
    VersionNumber,
    VersionState,
)
from uplift.domain.ports import ANY_PROCESS, ProcessFilter, ProcessOrder
from uplift.storage.memory import queries
from uplift.storage.memory.state import Committed, State


class ProcessQueriesInMemory:
    """Implements uplift.domain.ports.ProcessQueries."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed

    @property
    def _state(self) -> State:
        return self._committed.state

    async def find(self, process_key: ProcessKey) -> Process | None:
        return queries.process_in(self._state, process_key)

    async def page(
        self,
        page: PageRequest,
        process_filter: ProcessFilter = ANY_PROCESS,
        *,
        order: ProcessOrder = ProcessOrder.CREATED,
        namespaces: Namespaces | None = None,
    ) -> Page[Process]:
        # A sort key is the place of a process by age, whatever the order of the list.
        visible = self._shown(ANY_PROCESS, namespaces)
        ranks = {place: queries.rank_of_process(order, place, process) for place, process in visible.items()}
        begin = None
        if page.after is not None:
            begin = (page.after,) if order is ProcessOrder.CREATED else ranks.get(page.after)
            if begin is None:
                return page_of((), page.first)
        shown = self._shown(process_filter, namespaces)
        places = [place for place in shown if begin is None or ranks[place] > begin]
        return page_of(((place, shown[place]) for place in sorted(places, key=ranks.__getitem__)), page.first)

    async def count(
        self, process_filter: ProcessFilter = ANY_PROCESS, *, namespaces: Namespaces | None = None
    ) -> int:
        return len(self._shown(process_filter, namespaces))

    def _shown(self, process_filter: ProcessFilter, namespaces: Namespaces | None) -> dict[int, Process]:
        """The processes that a filter lets through, by their places in the order of age."""
        state = self._state
        return {
            place: queries.with_latest_published(state, process)
            for place, process in enumerate(state.processes.values(), start=1)
            if (namespaces is None or process.key.namespace in namespaces)
            and queries.shows_process(process_filter, process)
        }

    async def find_many(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, Process]:
        found = ((process_key, queries.process_in(self._state, process_key)) for process_key in process_keys)
        return {key: process for key, process in found if process is not None}

    async def states(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, ProcessState]:
        return {
            process_key: ProcessState(
                process=process,
                newest_version=next(reversed(queries.versions_in(self._state, process_key)), None),
                checksum=hash(frozenset(self._state.counts.of(process_key).items())),
            )
            for process_key, process in (await self.find_many(process_keys)).items()
        }

    async def versions(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[Version, ...]]:
        return {process_key: queries.versions_in(self._state, process_key) for process_key in process_keys}

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> VersionModel | None:
        return self._state.models.get((process_key, number))


class ProcessRepositoryInMemory:
    """Implements uplift.domain.ports.ProcessRepository."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def find(self, process_key: ProcessKey) -> Process | None:
        return queries.process_in(self._state, process_key)

    async def add(self, process: Process) -> None:
        self._state.processes[process.key] = process

    async def lock_versions(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[Version, ...]]:
        return {process_key: queries.versions_in(self._state, process_key) for process_key in process_keys}

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> VersionModel | None:
        return self._state.models.get((process_key, number))

    async def put_version(self, process_key: ProcessKey, version: Version, document: bytes | None) -> None:
        self._state.versions[process_key, version.number] = version
        self._state.models.pop((process_key, version.number), None)
        if document is not None and version.model_process_id is not None:
            model = VersionModel(document=document, process_id=version.model_process_id)
            self._state.models[process_key, version.number] = model

    async def publish(self, process_key: ProcessKey, number: VersionNumber, at: datetime) -> None:
        draft = self._state.versions[process_key, number]
        published = replace(draft, state=VersionState.PUBLISHED, published_at=at)
        self._state.versions[process_key, number] = published
