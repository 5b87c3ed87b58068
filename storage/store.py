"""Provides the store in an SQLite file or a PostgreSQL database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol, Self

from sqlalchemy.engine import URL

from uplift.domain.change_signal import ChangeSignal
from uplift.domain.model.upgrade import UpgradeState
from uplift.domain.ports import InstanceQueries, PartitionQueries, ProcessQueries, UpgradeQueries
from uplift.storage.database import Database
from uplift.storage.repositories.instances import SqlInstanceQueries
from uplift.storage.repositories.links import SqlLinkQueries
from uplift.storage.repositories.orders import SqlOrderQueries
from uplift.storage.repositories.partitions import SqlPartitionQueries
from uplift.storage.repositories.processes import SqlProcessQueries
from uplift.storage.repositories.sessions import Reading
from uplift.storage.repositories.upgrade_queries import SqlUpgradeQueries
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import KeyCache, SurrogateKeys
from uplift.storage.statements.instances.cohort_counts import SavedChanges
from uplift.storage.statements.processes.model_cache import ModelCache
from uplift.storage.statements.upgrades.upgrades import count_unfinished
from uplift.storage.transaction import SqlTransaction


class Parts(Protocol):
    """The queries and transactions of a store, which depend on the layout of its database."""

    @property
    def processes(self) -> ProcessQueries: ...

    @property
    def instances(self) -> InstanceQueries: ...

    @property
    def upgrades(self) -> UpgradeQueries: ...

    @property
    def partitions(self) -> PartitionQueries: ...

    def transaction(self, connection: Connection, surrogate_keys: SurrogateKeys) -> SqlTransaction: ...


class _OnePart:
    """Those of a database without buckets."""

    def __init__(self, reading: Reading, model_cache: ModelCache, saved_changes: SavedChanges) -> None:
        self._model_cache = model_cache
        self._saved_changes = saved_changes
        self.processes = SqlProcessQueries(reading, model_cache)
        self.instances = SqlInstanceQueries(reading)
        self.upgrades = SqlUpgradeQueries(reading)
        self.partitions = SqlPartitionQueries(reading)

    def transaction(self, connection: Connection, surrogate_keys: SurrogateKeys) -> SqlTransaction:
        return SqlTransaction(connection, surrogate_keys, self._model_cache, self._saved_changes)


class SqlStore:
    """Processes, versions, instances and upgrades in one database. Implements uplift.domain.ports.Store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._change_signal = ChangeSignal()
        self._known = KeyCache()
        self._model_cache = ModelCache()
        self._saved_changes = SavedChanges()
        reading = Reading(database, self._known)
        self._parts = _parts(database, reading, self._model_cache, self._saved_changes)
        self.processes = self._parts.processes
        self.instances = self._parts.instances
        self.upgrades = self._parts.upgrades
        self.partitions = self._parts.partitions
        self.links = SqlLinkQueries(reading)
        self.orders = SqlOrderQueries(reading)

    @classmethod
    async def open(cls, where: Path | URL) -> Self:
        """Open the SQLite file, which is created when it does not exist, or the PostgreSQL database."""
        return cls(await Database.open(where))

    async def close(self) -> None:
        await self._database.close()

    @property
    def database(self) -> Database:
        """The database, for tables that are not part of the domain, such as API keys."""
        return self._database

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[SqlTransaction]:
        async with self._database.writing(in_background=in_background) as connection:
            surrogate_keys = SurrogateKeys(connection, self._known)
            transaction = self._parts.transaction(connection, surrogate_keys)
            yield transaction
            await transaction.save_counts()
        # Only after the commit: the database reuses the surrogate keys of a rolled back transaction.
        surrogate_keys.publish()
        if transaction.has_awaited_change:
            self._change_signal.notify()

    async def unfinished(self) -> Mapping[UpgradeState, int]:
        """Count the unfinished upgrades of each state, those of other programs included."""
        async with self._database.reading() as connection:
            return await count_unfinished(connection)

    async def wait_for_change(self, seconds: float) -> None:
        await self._change_signal.wait(seconds)


def _parts(
    database: Database, reading: Reading, model_cache: ModelCache, saved_changes: SavedChanges
) -> Parts:
    if not database.layout.has_buckets:
        return _OnePart(reading, model_cache, saved_changes)
    # Imported here, because most databases have no buckets.
    from uplift.storage.in_buckets.store import BucketParts

    return BucketParts(reading, model_cache, saved_changes)
