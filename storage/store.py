"""Provides the store in an SQLite file or a PostgreSQL database."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from sqlalchemy.engine import URL

from uplift.domain.change_signal import ChangeSignal
from uplift.domain.model.upgrade import UpgradeState
from uplift.storage.database import Database
from uplift.storage.repositories.instances import SqlInstanceQueries
from uplift.storage.repositories.links import SqlLinkQueries
from uplift.storage.repositories.orders import SqlOrderQueries
from uplift.storage.repositories.partitions import SqlPartitionQueries
from uplift.storage.repositories.processes import SqlProcessQueries
from uplift.storage.repositories.sessions import Reading
from uplift.storage.repositories.upgrades import SqlUpgradeQueries
from uplift.storage.sql.surrogate_keys import KeyCache, SurrogateKeys
from uplift.storage.statements.cohort_counts import SavedChanges
from uplift.storage.statements.model_cache import ModelCache
from uplift.storage.statements.upgrades import count_unfinished
from uplift.storage.transaction import SqlTransaction


class SqlStore:
    """Processes, versions, instances and upgrades in one database. Implements uplift.domain.ports.Store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._change_signal = ChangeSignal()
        self._known = KeyCache()
        self._model_cache = ModelCache()
        self._saved_changes = SavedChanges()
        reading = Reading(database, self._known)
        self.processes = SqlProcessQueries(reading, self._model_cache)
        self.instances = SqlInstanceQueries(reading)
        self.upgrades = SqlUpgradeQueries(reading)
        self.partitions = SqlPartitionQueries(reading)
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
            transaction = SqlTransaction(connection, surrogate_keys, self._model_cache, self._saved_changes)
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
