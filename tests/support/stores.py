"""The stores that pass the same tests, and everything that one of them holds."""

from asyncio import gather
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.engine import URL

from tests.support.postgres import the_server
from uplift.domain import (
    CountedDecision,
    Instance,
    InstanceId,
    Outcome,
    Process,
    ProcessKey,
    Upgrade,
    UpgradeId,
    Version,
    VersionNumber,
)
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.ports import InstanceFilter, OutcomeFilter, Store, Transaction
from uplift.storage.database import Database
from uplift.storage.memory import InMemoryStore
from uplift.storage.postgres.backend import CONNECTIONS
from uplift.storage.sql.tables import metadata
from uplift.storage.store import SqlStore

Item = TypeVar("Item")

STORES = ("memory", "sqlite", "postgres")
"""The kinds of stores."""
SERVED = ("sqlite", "postgres")
"""Those that a gateway serves: what a front door answers is tried on both, unless no store is asked."""

_DELETES = [f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)]
EMPTY = {
    "sqlite": _DELETES,
    # Deleting takes a tenth of the time of truncating, as long as there is little; ids begin at 1 again.
    "postgres": [
        f"""DO $$ BEGIN
        IF pg_relation_size('instance') + pg_relation_size('outcome') > 1000000
        THEN TRUNCATE {", ".join(metadata.tables)};
        ELSE {"; ".join(_DELETES)};
        END IF;
        PERFORM setval(seqrelid, 1, false) FROM pg_sequence;
        END $$"""
    ],
}
"""What empties all tables of each kind of database."""


class Stores:
    """The databases of a test run. Each is opened once and emptied after each use: opening one costs more
    than most tests do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: dict[str, Database] = {}
        self._at_the_end = AsyncExitStack()

    @asynccontextmanager
    async def empty(self, kind: str) -> AsyncIterator[Store]:
        """An empty store of this kind, for the block only; one block of a kind at a time."""
        if kind == "memory":
            yield InMemoryStore()
            return
        if kind not in self._opened:
            self._opened[kind] = await self._open(kind)
        database = self._opened[kind]
        try:
            yield SqlStore(database)
        finally:
            async with database.writing() as connection:
                for statement in EMPTY[kind]:
                    await connection.exec_driver_sql(statement)

    async def close(self) -> None:
        await self._at_the_end.aclose()

    async def _open(self, kind: str) -> Database:
        opened = self._at_the_end.enter_async_context
        where = self._folder / "uplift.db" if kind == "sqlite" else await opened(the_server().database())
        database = (await opened(an_open_database(where))).database
        # Who watches the clock must not wait for connections to be made.
        await gather(*(database.ping() for _ in range(CONNECTIONS)))
        return database


@asynccontextmanager
async def an_open_database(where: Path | URL) -> AsyncIterator[SqlStore]:
    """The store in this SQLite file or PostgreSQL database."""
    store = await SqlStore.open(where)
    try:
        yield store
    finally:
        await store.close()


class Around:
    """Passes every question on to a store, but for those that a subclass answers itself."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Overlay:
    """A port, or a store or transaction, some of whose attributes are replaced."""

    def __init__(self, port: object, **replaced: Any) -> None:
        self._port = port
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def overlay(transaction: Transaction, **replaced: Any) -> Any:
    """A transaction some of whose ports are replaced."""
    return Overlay(transaction, **replaced)


class CountingTransactions(Around):
    """Counts by port and name what transactions are asked, and notes which run in the background."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.asked: Counter[str] = Counter()
        self.in_background: list[bool] = []

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator["Counted"]:
        self.in_background.append(in_background)
        async with self._store.transaction(in_background=in_background) as transaction:
            yield Counted(transaction, self.asked)


PORTS = frozenset({"processes", "instances", "upgrades", "partitions", "chunks"})


class Counted:
    """Passes every call on to a port and those it leads to, and counts it by the port's and its own name."""

    def __init__(self, port: object, asked: Counter[str], name: str = "") -> None:
        self._port = port
        self._asked = asked
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name in PORTS:
            return Counted(found, self._asked, name)
        if not iscoroutinefunction(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._asked[f"{self._name}.{name}"] += 1
            return self._counted(await found(*args, **kwargs))

        return call

    def _counted(self, found: Any) -> Any:
        if isinstance(found, tuple):
            return tuple(map(self._counted, found))
        return Counted(found, self._asked) if hasattr(found, "save") else found


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
        assert len(page.items) == first, "only the last page may be short"
        after = page.sort_keys[-1]


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
    """All that a store holds."""

    processes: list[Process]
    versions: dict[ProcessKey, tuple[Version, ...]]
    models: dict[tuple[ProcessKey, VersionNumber], bytes | None]
    instances: dict[ProcessKey, list[Instance]]
    upgrades: list[Upgrade]
    outcomes: dict[UpgradeId, list[Outcome]]
    decisions: dict[UpgradeId, set[CountedDecision]]


async def everything_in(store: Store) -> Everything:
    """All that a store holds, to be compared: what was refused must have changed nothing of it."""
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
    )


async def by_id(store: Store, key: ProcessKey) -> dict[InstanceId, Instance]:
    """The instances of a process by their ids."""
    return {one.id: one for one in await instances_of(store, key)}
