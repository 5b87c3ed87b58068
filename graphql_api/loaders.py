"""Data loaders: they read what the rows of a list refer to with one query instead of one for each row.

Strawberry's DataLoader collects the keys that the resolvers of one operation load at the same time.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import TypeVar

from strawberry.dataloader import DataLoader

from uplift import domain
from uplift.domain.model.cohort import CountedCohort
from uplift.domain.model.decision import CountedDecision
from uplift.domain.model.instance import InstanceId
from uplift.domain.model.link import LinkId
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import Partition, UpgradeId
from uplift.domain.ports import InstanceFilter, OutcomeFilter, Store
from uplift.domain.use_cases.plan import Plan
from uplift.graphql_api.types.links.links import Link
from uplift.graphql_api.types.processes.instances import ProcessInstance
from uplift.graphql_api.types.processes.processes import Process
from uplift.graphql_api.types.processes.versions import Version
from uplift.graphql_api.types.upgrades.histories import HistoryEntry
from uplift.graphql_api.types.upgrades.outcomes import Outcome
from uplift.graphql_api.types.upgrades.plans import CohortPages
from uplift.graphql_api.types.upgrades.upgrades import Upgrade

Key = TypeVar("Key", bound=Hashable)
Filter = TypeVar("Filter", bound=Hashable)
Answer = TypeVar("Answer")
Item = TypeVar("Item")
Converted = TypeVar("Converted")


class Loaders:
    """What one operation has read so far, as types of the schema."""

    # A loader is made when it is first used: to make all of them takes half of the time of a small query.

    def __init__(self, store: Store) -> None:
        self._store = store

    def clear(self) -> None:
        """Drop what was read, because the store may have changed since."""
        self.__dict__ = {"_store": self._store}

    @cached_property
    def processes(self) -> DataLoader[ProcessKey, Process]:
        return DataLoader(_by_key(self._store.processes.find_many, Process.from_domain))

    @cached_property
    def found_processes(self) -> DataLoader[ProcessKey, Process | None]:
        return DataLoader(_if_found(self._store.processes.find_many, Process.from_domain))

    @cached_property
    def found_instances(self) -> DataLoader[InstanceId, ProcessInstance | None]:
        return DataLoader(_if_found(self._store.instances.find_many, ProcessInstance.from_domain))

    @cached_property
    def found_upgrades(self) -> DataLoader[UpgradeId, Upgrade | None]:
        return DataLoader(_if_found(self._store.upgrades.find_many, Upgrade.from_domain))

    @cached_property
    def found_links(self) -> DataLoader[LinkId, Link | None]:
        return DataLoader(self._links)

    async def _links(self, ids: Sequence[LinkId]) -> list[Link | None]:
        found = await self._store.links.all_with_status()
        links = {link.id: Link.from_domain(link, status) for link, status in found}
        return [links.get(link_id) for link_id in ids]

    @cached_property
    def versions(self) -> DataLoader[ProcessKey, list[Version]]:
        return DataLoader(partial(_versions, self._store))

    @cached_property
    def cohorts(self) -> DataLoader[ProcessKey, tuple[CountedCohort, ...]]:
        return DataLoader(_by_key(self._store.instances.cohorts, tuple))

    @cached_property
    def latest_upgrades(self) -> DataLoader[ProcessKey, Upgrade | None]:
        return DataLoader(_if_found(self._store.upgrades.latest, Upgrade.from_domain))

    @cached_property
    def histories(self) -> DataLoader[InstanceId, list[HistoryEntry]]:
        return DataLoader(_by_key(self._store.instances.histories, _each(HistoryEntry.from_domain)))

    @cached_property
    def upgrades(self) -> DataLoader[UpgradeId, Upgrade]:
        return DataLoader(_by_key(self._store.upgrades.find_many, Upgrade.from_domain))

    @cached_property
    def following_pages(self) -> DataLoader[tuple[UpgradeId, SelectionKind, PageRequest], Page[Upgrade]]:
        return DataLoader(_page_by_key(self._store.upgrades.following_pages, Upgrade.from_domain))

    @cached_property
    def operator_events(self) -> DataLoader[UpgradeId, tuple[domain.UpgradeEvent, ...]]:
        return DataLoader(_by_key(self._store.upgrades.operator_events, lambda events: events))

    @cached_property
    def decisions(self) -> DataLoader[UpgradeId, tuple[CountedDecision, ...]]:
        return DataLoader(_by_key(self._store.upgrades.skip_decisions, lambda decisions: decisions))

    @cached_property
    def workers(self) -> DataLoader[UpgradeId, list[str]]:
        return DataLoader(_by_key(self._store.partitions.remaining, _workers))

    @cached_property
    def instance_pages(
        self,
    ) -> DataLoader[tuple[ProcessKey, InstanceFilter, PageRequest], Page[ProcessInstance]]:
        return DataLoader(_page_by_key(self._store.instances.pages, ProcessInstance.from_domain))

    @cached_property
    def outcome_pages(self) -> DataLoader[tuple[UpgradeId, OutcomeFilter, PageRequest], Page[Outcome]]:
        return DataLoader(_page_by_key(self._store.upgrades.outcome_pages, Outcome.from_domain))

    def cohort_pages(self, plan: Plan) -> CohortPages:
        """A new loader of the instances in each cohort of a plan."""

        async def read(
            cohorts: Sequence[domain.Cohort], _: None, page: PageRequest
        ) -> Mapping[domain.Cohort, Page[domain.Instance]]:
            return await self._store.instances.cohort_pages(plan.process, plan.selection, cohorts, page)

        return DataLoader(_page_by_key(read, ProcessInstance.from_domain))


async def _versions(store: Store, keys: list[ProcessKey]) -> list[list[Version] | BaseException]:
    found = await store.processes.versions(keys)
    return [[Version.from_domain(key, version) for version in found[key]] for key in keys]


def _workers(partitions: Iterable[Partition]) -> list[str]:
    return sorted({partition.lease.worker for partition in partitions if partition.lease is not None})


def _each(convert: Callable[[Item], Converted]) -> Callable[[Iterable[Item]], list[Converted]]:
    return lambda items: list(map(convert, items))


def _by_key(
    read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Answer]]], convert: Callable[[Answer], Converted]
) -> Callable[[list[Key]], Awaitable[Sequence[Converted | BaseException]]]:
    async def load(keys: list[Key]) -> list[Converted | BaseException]:
        answers = await read(keys)
        return [convert(answers[key]) for key in keys]

    return load


def _if_found(
    read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Answer]]], convert: Callable[[Answer], Converted]
) -> Callable[[list[Key]], Awaitable[Sequence[Converted | BaseException | None]]]:
    """Like `_by_key`, but None for what does not exist."""

    async def load(keys: list[Key]) -> list[Converted | BaseException | None]:
        answers = await read(keys)
        return [convert(answers[key]) if key in answers else None for key in keys]

    return load


def _page_by_key(
    read: Callable[[Sequence[Key], Filter, PageRequest], Awaitable[Mapping[Key, Page[Item]]]],
    convert: Callable[[Item], Converted],
) -> Callable[[list[tuple[Key, Filter, PageRequest]]], Awaitable[Sequence[Page[Converted] | BaseException]]]:
    """Read pages with one query for each distinct filter and page request, not for each key."""

    async def load(requests: list[tuple[Key, Filter, PageRequest]]) -> list[Page[Converted] | BaseException]:
        keys_by_query: dict[tuple[Filter, PageRequest], list[Key]] = defaultdict(list)
        for key, filter_, page in requests:
            keys_by_query[filter_, page].append(key)
        answers = {query: await read(keys, *query) for query, keys in keys_by_query.items()}
        return [answers[filter_, page][key].map(convert) for key, filter_, page in requests]

    return load
