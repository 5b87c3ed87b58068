"""Reads everything in a store, and wraps a store."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from uplift.domain import (
    Cohort,
    CountedDecision,
    Instance,
    InstanceId,
    Outcome,
    Process,
    ProcessKey,
    Upgrade,
    UpgradeEvent,
    UpgradeId,
    Version,
    VersionModel,
    VersionNumber,
)
from uplift.domain.model.instance import ACTIVE
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.ports import InstanceFilter, OutcomeFilter, Store, Transaction

Item = TypeVar("Item")


class Around:
    """Passes every call to a store, except for the methods that a subclass overrides."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Abandoned(Exception):
    """Raised to roll a transaction back."""


@asynccontextmanager
async def a_transaction_that_fails(store: Store) -> AsyncIterator[Transaction]:
    """A transaction that is rolled back at the end of the block."""
    with suppress(Abandoned):
        async with store.transaction() as transaction:
            yield transaction
            raise Abandoned


async def walk(read: Callable[[PageRequest], Awaitable[Page[Item]]], *, first: int = 1_000) -> list[Item]:
    """All items of a list, page by page."""
    seen: list[Item] = []
    after: int | None = None
    while True:
        page = await read(PageRequest(first=first, after=after))
        assert len(page.items) == len(page.sort_keys) <= first
        seen += page.items
        if not page.has_next:
            return seen
        assert len(page.items) == first or page.end is not None, "only such pages and the last may be short"
        assert page.last_key is not None
        assert after is None or page.last_key != after, "each page gets on"
        after = page.last_key


async def instances_of(
    store: Store, key: ProcessKey, which: InstanceFilter | None = None, *, first: int = 1_000
) -> list[Instance]:
    """The instances of a process, in the order of their list."""

    async def read(page: PageRequest) -> Page[Instance]:
        return (await store.instances.pages([key], which or InstanceFilter(), page))[key]

    return await walk(read, first=first)


async def outcomes_of(
    store: Store, upgrade: UpgradeId, which: OutcomeFilter | None = None, *, first: int = 1_000
) -> list[Outcome]:
    """The outcomes of an upgrade, in the order of their list."""

    async def read(page: PageRequest) -> Page[Outcome]:
        return (await store.upgrades.outcome_pages([upgrade], which or OutcomeFilter(), page))[upgrade]

    return await walk(read, first=first)


async def upgrades_of(store: Store, key: ProcessKey | None = None, *, first: int = 1_000) -> list[Upgrade]:
    """The upgrades of a process, or all, the newest first."""
    return await walk(lambda page: store.upgrades.page(key, page), first=first)


@dataclass(frozen=True, kw_only=True)
class Everything:
    """Everything in a store."""

    processes: list[Process]
    versions: dict[ProcessKey, tuple[Version, ...]]
    models: dict[tuple[ProcessKey, VersionNumber], VersionModel | None]
    instances: dict[ProcessKey, list[Instance]]
    upgrades: list[Upgrade]
    outcomes: dict[UpgradeId, list[Outcome]]
    decisions: dict[UpgradeId, set[CountedDecision]]
    events: dict[UpgradeId, tuple[UpgradeEvent, ...]]


async def everything_in(store: Store) -> Everything:
    """Everything in a store, to compare before and after a refused request."""
    processes = await walk(store.processes.page)
    keys = [process.key for process in processes]
    versions = dict(await store.processes.versions(keys))
    upgrades = await upgrades_of(store)
    decisions = await store.upgrades.skip_decisions([upgrade.id for upgrade in upgrades])
    return Everything(
        processes=processes,
        versions=versions,
        models={
            (key, version.number): await store.processes.model(key, version.number)
            for key, several in versions.items()
            for version in several
        },
        instances={key: await instances_of(store, key) for key in keys},
        upgrades=upgrades,
        outcomes={upgrade.id: await outcomes_of(store, upgrade.id) for upgrade in upgrades},
        decisions={upgrade: set(several) for upgrade, several in decisions.items()},
        events=dict(await store.upgrades.operator_events([upgrade.id for upgrade in upgrades])),
    )


async def require_right_counts(store: Store) -> None:
    """Compare the count of each cohort with the instances that are in it.

    Of the processes that have no instances, it counts the active ones of ten only.
    """
    keys = [process.key for process in await walk(store.processes.page)]
    kept = await store.instances.cohorts(keys)
    first = await store.instances.pages(keys, InstanceFilter(), PageRequest(first=1))
    assert [key for key in keys if kept[key] and not first[key].items] == []
    empty = [key for key in keys if not first[key].items]
    for key in [key for key in keys if first[key].items] + empty[:10]:
        held = await instances_of(store, key)
        cohorts = [
            Cohort(version=instance.version, status=instance.status, position=instance.position)
            for instance in held
        ]
        counts = [(counted.cohort, counted.count) for counted in kept[key]]
        assert Counter(dict(counts)) == Counter(cohorts)
        assert len(dict(counts)) == len(counts), "each cohort is listed once"
        active = sum(instance.status in ACTIVE for instance in held)
        assert await store.instances.count_active(key) == active


async def by_id(store: Store, key: ProcessKey) -> dict[InstanceId, Instance]:
    """The instances of a process by their ids."""
    return {instance.id: instance for instance in await instances_of(store, key)}
