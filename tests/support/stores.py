"""Provides the stores that must pass the same tests."""

from asyncio import gather
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

from tests.support import citus, postgres
from tests.support.bucket_rule import watch
from tests.support.copies import Copy, copy_of, restore
from tests.support.hash_partitions import HashPartitions
from tests.support.postgres import the_server
from uplift.domain.ports import Store, Transaction
from uplift.storage.buckets.layout import apply_layout
from uplift.storage.database import Database
from uplift.storage.memory import InMemoryStore
from uplift.storage.postgres.engines import MAX_CONNECTIONS
from uplift.storage.sql.tables import layout, metadata
from uplift.storage.store import SqlStore
from uplift.testing.stores import Around

STORES = ("memory", "sqlite", "postgres")
"""The kinds of stores."""
DIVIDED = {"one_bucket": 1, "buckets": 8}
"""Kinds of stores on PostgreSQL whose tables are divided into so many buckets.

Each is a hash partition, or a shard of Citus if a cluster runs (see tests.support.citus).
"""
SERVED = ("sqlite", "postgres")
"""The stores that a gateway serves: tests of the APIs run on both, unless they need no store."""

EMPTY = {
    "sqlite": [f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)],
    "postgres": [postgres.EMPTY],
}
"""What empties all tables of each kind of database; ids begin at 1 again."""
EMPTY_DIVIDED = [
    *(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables) if table is not layout),
    (  # not those of Citus
        "SELECT setval(seqrelid, 1, false) FROM pg_sequence JOIN pg_class ON oid = seqrelid "
        "WHERE relnamespace = 'public'::regnamespace"
    ),
]


class Stores:
    """The databases of a test run. Each is opened once and emptied after each use: opening one costs more
    than most tests do.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: dict[str, Database] = {}
        self._copies: dict[tuple[str, Any], Copy] = {}
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
                for statement in EMPTY_DIVIDED if kind in DIVIDED else EMPTY[kind]:
                    await connection.exec_driver_sql(statement)

    async def fill(self, kind: str, store: Store, fill: Callable[[Store], Awaitable[None]]) -> None:
        """Fill an empty store of this kind: the first time by the function, then with a copy of its rows."""
        if kind in DIVIDED:  # a copied row would not know its bucket
            await fill(store)
            return
        database = self._opened[kind]
        if (kind, fill) in self._copies:
            await restore(self._copies[kind, fill], database)
            return
        await fill(store)
        self._copies[kind, fill] = await copy_of(database)

    async def close(self) -> None:
        await self._at_the_end.aclose()

    async def _open(self, kind: str) -> Database:
        opened = self._at_the_end.enter_async_context
        if kind == "sqlite":
            where: Path | URL = self._folder / "uplift.db"
        elif kind not in DIVIDED:
            where = await opened(the_server().database())
        elif citus.NODES:
            where = await opened(citus.a_distributed_database(DIVIDED[kind]))
        else:
            where = await opened(the_server().empty_database())
        database = (await opened(an_open_database(where))).database
        if kind in DIVIDED and not citus.NODES:
            await divide(database, DIVIDED[kind])
            await watch(database)
        # Tests that measure time must not wait for connections to be made.
        await gather(*(database.ping() for _ in range(MAX_CONNECTIONS)))
        return database


async def divide(database: Database, buckets: int) -> None:
    """Divide the tables of a database into hash partitions, one for each bucket."""
    async with database.migrating() as connection:
        await apply_layout(connection, buckets, HashPartitions())
    await database.read_layout()


@asynccontextmanager
async def an_open_database(where: Path | URL) -> AsyncIterator[SqlStore]:
    """The store in this SQLite file or PostgreSQL database."""
    store = await SqlStore.open(where)
    try:
        yield store
    finally:
        await store.close()


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
    """Counts the calls of transactions by port and method, and records which run in the background."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.calls: Counter[str] = Counter()
        self.in_background: list[bool] = []

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator["Counted"]:
        self.in_background.append(in_background)
        async with self._store.transaction(in_background=in_background) as transaction:
            yield Counted(transaction, self.calls)


PORTS = frozenset({"processes", "instances", "upgrades", "partitions", "chunks"})


class Counted:
    """Delegates to a port and the objects it returns, and counts each call as `port.method`."""

    def __init__(self, port: object, calls: Counter[str], name: str = "") -> None:
        self._port = port
        self._calls = calls
        self._name = name

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name in PORTS:
            return Counted(found, self._calls, name)
        if not iscoroutinefunction(found):
            return found

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._calls[f"{self._name}.{name}"] += 1
            return self._counted(await found(*args, **kwargs))

        return call

    def _counted(self, found: Any) -> Any:
        if isinstance(found, tuple):
            return tuple(map(self._counted, found))
        return Counted(found, self._calls) if hasattr(found, "save") else found
