"""The queries of a store within the scope of a caller.

Each answers for a hidden process, instance or upgrade as the store answers for one that does not exist.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from uplift.domain.model.access import Caller, Namespaces
from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.decision import CountedDecision
from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.instance import Instance, InstanceId
from uplift.domain.model.link import LinkId
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import (
    Process,
    ProcessKey,
    ProcessState,
    Version,
    VersionModel,
    VersionNumber,
)
from uplift.domain.model.selection import Selection, SelectionKind, UpgradeId
from uplift.domain.model.upgrade import HistoryEntry, Outcome, Partition, Upgrade, UpgradeProgress
from uplift.domain.model.upgrade_event import UpgradeEvent
from uplift.domain.ports import (
    ANY_PROCESS,
    ANY_UPGRADE,
    InstanceFilter,
    InstanceQueries,
    OutcomeFilter,
    ProcessFilter,
    ProcessOrder,
    ProcessQueries,
    SelectedCohorts,
    Store,
    UpgradeFilter,
    UpgradeQueries,
)

Key = TypeVar("Key")
Answer = TypeVar("Answer")

NEEDS_WHOLE_STORE = "Expected workers and pruning to use the whole store, but this one has a scope."

_NO_PAGE: Page[Any] = Page(items=(), sort_keys=(), has_next=False)


class ScopedProcessQueries:
    """Implements uplift.domain.ports.ProcessQueries within the scope of a caller."""

    def __init__(self, processes: ProcessQueries, caller: Caller) -> None:
        self._processes = processes
        self._caller = caller

    async def find(self, process_key: ProcessKey) -> Process | None:
        return await self._processes.find(process_key) if self._caller.may_see(process_key) else None

    async def find_many(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, Process]:
        return await self._processes.find_many(list(filter(self._caller.may_see, process_keys)))

    async def states(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, ProcessState]:
        return await self._processes.states(list(filter(self._caller.may_see, process_keys)))

    async def page(
        self,
        page: PageRequest,
        process_filter: ProcessFilter = ANY_PROCESS,
        *,
        order: ProcessOrder = ProcessOrder.CREATED,
        namespaces: Namespaces | None = None,
    ) -> Page[Process]:
        within = common(self._caller.namespaces, namespaces)
        return await self._processes.page(page, process_filter, order=order, namespaces=within)

    async def count(
        self, process_filter: ProcessFilter = ANY_PROCESS, *, namespaces: Namespaces | None = None
    ) -> int:
        within = common(self._caller.namespaces, namespaces)
        return await self._processes.count(process_filter, namespaces=within)

    async def versions(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[Version, ...]]:
        return await of_visible(self._caller.may_see, process_keys, self._processes.versions, ())

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> VersionModel | None:
        return await self._processes.model(process_key, number) if self._caller.may_see(process_key) else None


class ScopedInstanceQueries:
    """Implements uplift.domain.ports.InstanceQueries within the scope of a caller."""

    def __init__(self, instances: InstanceQueries, caller: Caller) -> None:
        self._instances = instances
        self._caller = caller

    async def find_many(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        found = await self._instances.find_many(ids)
        return {key: instance for key, instance in found.items() if self._caller.may_see(instance.process)}

    async def pages(
        self, process_keys: Sequence[ProcessKey], instance_filter: InstanceFilter, page: PageRequest
    ) -> Mapping[ProcessKey, Page[Instance]]:
        return await of_visible(
            self._caller.may_see,
            process_keys,
            lambda visible: self._instances.pages(visible, instance_filter, page),
            _NO_PAGE,
        )

    async def cohorts(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[CountedCohort, ...]]:
        return await of_visible(self._caller.may_see, process_keys, self._instances.cohorts, ())

    async def count_active(self, process_key: ProcessKey) -> int:
        return await self._instances.count_active(process_key) if self._caller.may_see(process_key) else 0

    async def selected_cohorts(self, process_key: ProcessKey, selection: Selection) -> SelectedCohorts:
        if not self._caller.may_see(process_key):
            return SelectedCohorts(cohorts=(), not_found=selection.size or 0, excluded=0)
        return await self._instances.selected_cohorts(process_key, selection)

    async def cohort_pages(
        self, process_key: ProcessKey, selection: Selection, cohorts: Sequence[Cohort], page: PageRequest
    ) -> Mapping[Cohort, Page[Instance]]:
        if not self._caller.may_see(process_key):
            return dict.fromkeys(cohorts, _NO_PAGE)
        return await self._instances.cohort_pages(process_key, selection, cohorts, page)

    async def histories(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, tuple[HistoryEntry, ...]]:
        visible = await self.find_many(ids)
        return await of_visible(visible.__contains__, ids, self._instances.histories, ())


class ScopedUpgradeQueries:
    """Implements uplift.domain.ports.UpgradeQueries within the scope of a caller."""

    def __init__(self, upgrades: UpgradeQueries, caller: Caller) -> None:
        self._upgrades = upgrades
        self._caller = caller

    async def find(self, upgrade_id: UpgradeId) -> Upgrade | None:
        return only_visible(self._caller, await self._upgrades.find(upgrade_id))

    async def find_many(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, Upgrade]:
        found = await self._upgrades.find_many(ids)
        return {key: upgrade for key, upgrade in found.items() if self._caller.may_see(upgrade.process)}

    async def page(
        self,
        process_key: ProcessKey | None,
        page: PageRequest,
        upgrade_filter: UpgradeFilter = ANY_UPGRADE,
        *,
        namespaces: Namespaces | None = None,
    ) -> Page[Upgrade]:
        within = common(self._caller.namespaces, namespaces)
        return await self._upgrades.page(process_key, page, upgrade_filter, namespaces=within)

    async def count(
        self,
        process_key: ProcessKey | None,
        upgrade_filter: UpgradeFilter = ANY_UPGRADE,
        *,
        namespaces: Namespaces | None = None,
    ) -> int | None:
        within = common(self._caller.namespaces, namespaces)
        return await self._upgrades.count(process_key, upgrade_filter, namespaces=within)

    async def latest(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, Upgrade]:
        return await self._upgrades.latest(list(filter(self._caller.may_see, process_keys)))

    async def unfinished(
        self, limit: int, *, namespaces: Namespaces | None = None
    ) -> tuple[UpgradeProgress, ...]:
        return await self._upgrades.unfinished(limit, namespaces=common(self._caller.namespaces, namespaces))

    async def following_pages(
        self, ids: Sequence[UpgradeId], kind: SelectionKind, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Upgrade]]:
        visible = await self.find_many(ids)
        return await of_visible(
            visible.__contains__,
            ids,
            lambda found: self._upgrades.following_pages(found, kind, page),
            _NO_PAGE,
        )

    async def claimable(
        self, now: datetime, *, only: UpgradeId | None = None, passing_over: Collection[UpgradeId] = ()
    ) -> Upgrade | None:
        if only is None:
            raise ValueError(NEEDS_WHOLE_STORE)
        found = await self._upgrades.claimable(now, only=only, passing_over=passing_over)
        return only_visible(self._caller, found)

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        known = await self._upgrades.known_request(idempotency_key, since=since)
        return None if known is None or await self.find(known.upgrade_id) is None else known

    async def measured_rate(self, link: LinkId | None = None) -> float | None:
        """The rate of the whole store: how fast the database is says nothing about other namespaces."""
        return await self._upgrades.measured_rate(link)

    async def outcome_pages(
        self, ids: Sequence[UpgradeId], outcome_filter: OutcomeFilter, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Outcome]]:
        visible = await self.find_many(ids)
        return await of_visible(
            visible.__contains__,
            ids,
            lambda found: self._upgrades.outcome_pages(found, outcome_filter, page),
            _NO_PAGE,
        )

    async def skip_decisions(
        self, ids: Sequence[UpgradeId]
    ) -> Mapping[UpgradeId, tuple[CountedDecision, ...]]:
        visible = await self.find_many(ids)
        return await of_visible(visible.__contains__, ids, self._upgrades.skip_decisions, ())

    async def operator_events(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[UpgradeEvent, ...]]:
        visible = await self.find_many(ids)
        return await of_visible(visible.__contains__, ids, self._upgrades.operator_events, ())


class ScopedPartitionQueries:
    """Implements uplift.domain.ports.PartitionQueries within the scope of a caller."""

    def __init__(self, store: Store, caller: Caller) -> None:
        self._partitions = store.partitions
        self._upgrades = ScopedUpgradeQueries(store.upgrades, caller)

    async def remaining(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[Partition, ...]]:
        visible = await self._upgrades.find_many(ids)
        return await of_visible(visible.__contains__, ids, self._partitions.remaining, ())

    async def end_of_chunk(self, upgrade: Upgrade, partition: Partition, size: int) -> int | None:
        del upgrade, partition, size
        return None  # the chunk finds it, if the caller may run one


def only_visible(caller: Caller, upgrade: Upgrade | None) -> Upgrade | None:
    """The upgrade, or None if it is hidden from the caller."""
    return upgrade if upgrade is not None and caller.may_see(upgrade.process) else None


async def of_visible(
    is_visible: Callable[[Key], bool],
    keys: Sequence[Key],
    read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Answer]]],
    nothing: Answer,
) -> Mapping[Key, Answer]:
    """What `read` finds for each visible key, and `nothing` for each hidden one."""
    visible = list(filter(is_visible, keys))
    found = await read(visible) if visible else {}
    return {key: found.get(key, nothing) for key in keys}


def common(scope: Namespaces | None, namespaces: Namespaces | None) -> Namespaces | None:
    """The namespaces that both contain; None stands for all."""
    if scope is None or namespaces is None:
        return scope if namespaces is None else namespaces
    return scope & namespaces
