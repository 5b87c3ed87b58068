"""The questions that a store in memory answers; see uplift.domain.ports.Store."""

from asyncio import Lock
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from uplift.domain.change_signal import ChangeSignal
from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.decision import CountedDecision, Verdict
from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.instance import Instance, InstanceId
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import Process, ProcessKey, Version, VersionNumber
from uplift.domain.model.selection import Selection, UpgradeId
from uplift.domain.model.upgrade import RATED_FROM, RATED_UPGRADES, HistoryEntry, Outcome, Partition, Upgrade
from uplift.domain.ports import InstanceFilter, OutcomeFilter, SelectedCohorts
from uplift.storage.memory import state as held
from uplift.storage.memory.state import State
from uplift.storage.memory.transaction import InMemoryTransaction


@dataclass(slots=True)
class Committed:
    """The state that the last committed transaction left."""

    state: State = field(default_factory=State)


class ProcessQueriesInMemory:
    """Implements uplift.domain.ports.ProcessQueries."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed

    @property
    def _state(self) -> State:
        return self._committed.state

    async def find(self, process_key: ProcessKey) -> Process | None:
        return held.process_in(self._state, process_key)

    async def page(self, page: PageRequest) -> Page[Process]:
        state = self._state
        return held.page_along((held.as_it_stands(state, one) for one in state.processes.values()), page)

    async def find_many(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, Process]:
        found = ((process_key, held.process_in(self._state, process_key)) for process_key in process_keys)
        return {key: process for key, process in found if process is not None}

    async def versions(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[Version, ...]]:
        return {process_key: held.versions_in(self._state, process_key) for process_key in process_keys}

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> bytes | None:
        return self._state.models.get((process_key, number))


class InstanceQueriesInMemory:
    """Implements uplift.domain.ports.InstanceQueries."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed

    @property
    def _state(self) -> State:
        return self._committed.state

    async def find_many(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        known = self._state.instances
        return {given: known[given] for given in ids if given in known}

    async def pages(
        self, process_keys: Sequence[ProcessKey], instance_filter: InstanceFilter, page: PageRequest
    ) -> Mapping[ProcessKey, Page[Instance]]:
        return {
            process_key: held.page_along(
                held.instances_in(self._state, process_key),
                page,
                lambda one: held.shows(instance_filter, one),
            )
            for process_key in process_keys
        }

    async def cohorts(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[CountedCohort, ...]]:
        return {
            process_key: held.counted(
                held.cohort_of(one) for one in held.instances_in(self._state, process_key)
            )
            for process_key in process_keys
        }

    async def count_active(self, process_key: ProcessKey) -> int:
        return len(held.active_in(self._state, process_key))

    async def selected_cohorts(self, process_key: ProcessKey, selection: Selection) -> SelectedCohorts:
        selected = held.selected_in(self._state, process_key, selection)
        size = selection.size
        return SelectedCohorts(
            cohorts=held.counted(held.cohort_of(one) for one in selected),
            not_found=0 if size is None else size - len(selected),
            excluded=len(held.active_in(self._state, process_key)) - len(selected) if size is None else 0,
        )

    async def cohort_pages(
        self, process_key: ProcessKey, selection: Selection, cohorts: Sequence[Cohort], page: PageRequest
    ) -> Mapping[Cohort, Page[Instance]]:
        selected = {one.id for one in held.selected_in(self._state, process_key, selection)}
        own = held.instances_in(self._state, process_key)
        by_cohort: dict[Cohort, list[tuple[int, Instance]]] = {cohort: [] for cohort in cohorts}
        for place, one in enumerate(own, start=1):
            if one.id in selected and place > (page.after or 0) and held.cohort_of(one) in by_cohort:
                by_cohort[held.cohort_of(one)].append((place, one))
        return {cohort: page_of(rows, page.first) for cohort, rows in by_cohort.items()}

    async def histories(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, tuple[HistoryEntry, ...]]:
        state = self._state
        return {
            given: tuple(
                HistoryEntry(upgrade=upgrade, outcome=held.outcome_of(state, upgrade.id, given))
                for upgrade in state.upgrades.values()
                if (upgrade.id, given) in state.recorded
            )
            for given in ids
        }


class UpgradeQueriesInMemory:
    """Implements uplift.domain.ports.UpgradeQueries."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed

    @property
    def _state(self) -> State:
        return self._committed.state

    async def find(self, upgrade_id: UpgradeId) -> Upgrade | None:
        return self._state.upgrades.get(upgrade_id)

    async def find_many(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, Upgrade]:
        known = self._state.upgrades
        return {wanted: known[wanted] for wanted in ids if wanted in known}

    async def page(self, process_key: ProcessKey | None, page: PageRequest) -> Page[Upgrade]:
        numbered = list(enumerate(self._state.upgrades.values(), start=1))
        rows = [
            (number, upgrade)
            for number, upgrade in reversed(numbered)
            if process_key in (None, upgrade.process) and (page.after is None or number < page.after)
        ]
        return page_of(rows, page.first)

    async def claimable(self, now: datetime, *, only: UpgradeId | None = None) -> Upgrade | None:
        found = held.claimable_in(self._state, now, only)
        return None if found is None else found[0]

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        return held.known_in(self._state, idempotency_key.caller, idempotency_key.key, since)

    async def measured_rate(self) -> float | None:
        large = [one for one in self._state.upgrades.values() if one.total >= RATED_FROM]
        done = large[-RATED_UPGRADES:]
        seconds = sum(one.worked.total_seconds() for one in done)
        return sum(one.total for one in done) / seconds if seconds else None

    async def outcome_pages(
        self, ids: Sequence[UpgradeId], outcome_filter: OutcomeFilter, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Outcome]]:
        return {
            upgrade: held.page_along(
                held.outcomes_in(self._state, upgrade),
                page,
                lambda one: held.shows_outcome(outcome_filter, one),
            )
            for upgrade in ids
        }

    async def skip_decisions(
        self, ids: Sequence[UpgradeId]
    ) -> Mapping[UpgradeId, tuple[CountedDecision, ...]]:
        kept = self._state.decisions
        return {
            upgrade: tuple(
                kept[owner, cohort]
                for owner, cohort in sorted(kept, key=lambda one: held.order_of(one[1]))
                if owner == upgrade and kept[owner, cohort].decision.verdict is Verdict.SKIP
            )
            for upgrade in ids
        }


class PartitionQueriesInMemory:
    """Implements uplift.domain.ports.PartitionQueries."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed

    @property
    def _state(self) -> State:
        return self._committed.state

    async def remaining(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[Partition, ...]]:
        return {wanted: held.partitions_in(self._state, wanted) for wanted in ids}


class InMemoryStore:
    """A Store that forgets everything when the program ends. Implements uplift.domain.ports.Store."""

    def __init__(self) -> None:
        self._committed = Committed()
        self.processes = ProcessQueriesInMemory(self._committed)
        self.instances = InstanceQueriesInMemory(self._committed)
        self.upgrades = UpgradeQueriesInMemory(self._committed)
        self.partitions = PartitionQueriesInMemory(self._committed)
        self._lock = Lock()
        self._change_signal = ChangeSignal()

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[InMemoryTransaction]:
        del in_background  # all happens in one thread
        async with self._lock:
            draft = self._committed.state.snapshot()
            yield InMemoryTransaction(draft)
            self._committed.state = draft
        self._change_signal.notify()

    async def wait_for_change(self, seconds: float) -> None:
        await self._change_signal.wait(seconds)
