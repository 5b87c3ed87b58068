"""How do the rows of a list find what belongs to them without a question to the store for each row?

The resolvers of one operation hand in keys; those handed in together are answered by one question.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import TypeVar

from strawberry.dataloader import DataLoader

from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.decision import CountedDecision
from uplift.domain.model.instance import Instance, InstanceId
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import Process, ProcessKey, Version
from uplift.domain.model.upgrade import HistoryEntry, Outcome, Partition, Upgrade, UpgradeId
from uplift.domain.ports import InstanceFilter, OutcomeFilter, Store
from uplift.domain.use_cases.plan import Plan

Key = TypeVar("Key", bound=Hashable)
Which = TypeVar("Which", bound=Hashable)
Answer = TypeVar("Answer")


class Loaders:
    """What the operation that they were made for has read so far, by key."""

    def __init__(self, store: Store) -> None:
        self.processes: DataLoader[ProcessKey, Process] = DataLoader(_by_key(store.processes_named))
        self.versions: DataLoader[ProcessKey, tuple[Version, ...]] = DataLoader(_by_key(store.versions))
        self.cohorts: DataLoader[ProcessKey, tuple[CountedCohort, ...]] = DataLoader(_by_key(store.cohorts))
        self.histories: DataLoader[InstanceId, tuple[HistoryEntry, ...]] = DataLoader(
            _by_key(store.histories)
        )
        self.upgrades: DataLoader[UpgradeId, Upgrade] = DataLoader(_by_key(store.upgrades_named))
        self.decisions: DataLoader[UpgradeId, tuple[CountedDecision, ...]] = DataLoader(
            _by_key(store.decisions)
        )
        self.partitions: DataLoader[UpgradeId, tuple[Partition, ...]] = DataLoader(_by_key(store.partitions))
        self.instance_pages: DataLoader[tuple[ProcessKey, InstanceFilter, PageRequest], Page[Instance]] = (
            DataLoader(_page_by_key(store.instance_pages))
        )
        self.outcome_pages: DataLoader[tuple[UpgradeId, OutcomeFilter, PageRequest], Page[Outcome]] = (
            DataLoader(_page_by_key(store.outcome_pages))
        )

    def forget(self) -> None:
        """Read everything anew from now on: a mutation changed the store."""
        for loader in vars(self).values():
            loader.clear_all()


def cohort_pages(store: Store, plan: Plan) -> DataLoader[tuple[Cohort, None, PageRequest], Page[Instance]]:
    """A loader of the instances that are in each cohort of a plan. One a plan: its selection may be long."""

    async def ask(cohorts: Sequence[Cohort], _: None, page: PageRequest) -> Mapping[Cohort, Page[Instance]]:
        return await store.cohort_pages(plan.process, plan.selection, cohorts, page)

    return DataLoader(_page_by_key(ask))


def _by_key(
    ask: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Answer]]],
) -> Callable[[list[Key]], Awaitable[Sequence[Answer | BaseException]]]:
    async def load(keys: list[Key]) -> list[Answer | BaseException]:
        answers = await ask(keys)
        return [answers[key] for key in keys]

    return load


def _page_by_key(
    ask: Callable[[Sequence[Key], Which, PageRequest], Awaitable[Mapping[Key, Page[Answer]]]],
) -> Callable[[list[tuple[Key, Which, PageRequest]]], Awaitable[Sequence[Page[Answer] | BaseException]]]:
    """One question for each distinct filter and page: as many as the document has such fields, at most."""

    async def load(asked: list[tuple[Key, Which, PageRequest]]) -> list[Page[Answer] | BaseException]:
        groups: dict[tuple[Which, PageRequest], list[Key]] = defaultdict(list)
        for key, which, page in asked:
            groups[which, page].append(key)
        answers = {group: await ask(keys, *group) for group, keys in groups.items()}
        return [answers[which, page][key] for key, which, page in asked]

    return load
