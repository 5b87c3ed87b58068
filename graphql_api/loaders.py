"""Data loaders: they read what the rows of a list refer to with one query instead of one for each row.

Strawberry's DataLoader collects the keys that the resolvers of one operation load at the same time.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from strawberry.dataloader import DataLoader

from uplift import domain
from uplift.domain.model.cohort import CountedCohort
from uplift.domain.model.decision import CountedDecision
from uplift.domain.model.instance import InstanceId
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import Partition, UpgradeId
from uplift.domain.ports import InstanceFilter, OutcomeFilter, Store
from uplift.domain.use_cases.plan import Plan
from uplift.graphql_api.types.instances import ProcessInstance
from uplift.graphql_api.types.outcomes import Outcome
from uplift.graphql_api.types.plans import CohortPages
from uplift.graphql_api.types.processes import Process
from uplift.graphql_api.types.upgrades import HistoryEntry, Upgrade
from uplift.graphql_api.types.versions import Version

Key = TypeVar("Key", bound=Hashable)
Filter = TypeVar("Filter", bound=Hashable)
Answer = TypeVar("Answer")
Item = TypeVar("Item")
Converted = TypeVar("Converted")


class Loaders:
    """What one operation has read so far, as types of the schema."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.clear()

    def clear(self) -> None:
        """Drop what was read, because the store may have changed since."""
        store = self._store
        self.processes: DataLoader[ProcessKey, Process] = DataLoader(
            _by_key(store.processes.find_many, Process.from_domain)
        )
        self.found_processes: DataLoader[ProcessKey, Process | None] = DataLoader(
            _if_found(store.processes.find_many, Process.from_domain)
        )
        self.found_instances: DataLoader[InstanceId, ProcessInstance | None] = DataLoader(
            _if_found(store.instances.find_many, ProcessInstance.from_domain)
        )
        self.found_upgrades: DataLoader[UpgradeId, Upgrade | None] = DataLoader(
            _if_found(store.upgrades.find_many, Upgrade.from_domain)
        )
        self.versions: DataLoader[ProcessKey, list[Version]] = DataLoader(partial(_versions, store))
        self.cohorts: DataLoader[ProcessKey, tuple[CountedCohort, ...]] = DataLoader(
            _by_key(store.instances.cohorts, tuple)
        )
        self.latest_upgrades: DataLoader[ProcessKey, Upgrade | None] = DataLoader(
            _if_found(store.upgrades.latest, Upgrade.from_domain)
        )
        self.histories: DataLoader[InstanceId, list[HistoryEntry]] = DataLoader(
            _by_key(store.instances.histories, _each(HistoryEntry.from_domain))
        )
        self.upgrades: DataLoader[UpgradeId, Upgrade] = DataLoader(
            _by_key(store.upgrades.find_many, Upgrade.from_domain)
        )
        self.following_pages: DataLoader[tuple[UpgradeId, SelectionKind, PageRequest], Page[Upgrade]] = (
            DataLoader(_page_by_key(store.upgrades.following_pages, Upgrade.from_domain))
        )
        self.operator_events: DataLoader[UpgradeId, tuple[domain.UpgradeEvent, ...]] = DataLoader(
            _by_key(store.upgrades.operator_events, lambda events: events)
        )
        self.decisions: DataLoader[UpgradeId, tuple[CountedDecision, ...]] = DataLoader(
            _by_key(store.upgrades.skip_decisions, lambda decisions: decisions)
        )
        self.workers: DataLoader[UpgradeId, list[str]] = DataLoader(
            _by_key(store.partitions.remaining, _workers)
        )
        self.instance_pages: DataLoader[
            tuple[ProcessKey, InstanceFilter, PageRequest], Page[ProcessInstance]
        ] = DataLoader(_page_by_key(store.instances.pages, ProcessInstance.from_domain))
        self.outcome_pages: DataLoader[tuple[UpgradeId, OutcomeFilter, PageRequest], Page[Outcome]] = (
            DataLoader(_page_by_key(store.upgrades.outcome_pages, Outcome.from_domain))
        )

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
