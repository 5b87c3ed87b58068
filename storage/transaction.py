"""Provides the repositories of one transaction, whose writes commit together or not at all."""

from uplift.domain.ports import PartitionRepository
from uplift.storage.chunks import CHUNKS
from uplift.storage.repositories.instances import SqlInstanceRepository
from uplift.storage.repositories.links import SqlLinkRepository
from uplift.storage.repositories.partitions import SqlPartitionRepository
from uplift.storage.repositories.processes import SqlProcessRepository
from uplift.storage.repositories.sessions import Session
from uplift.storage.repositories.upgrades import SqlUpgradeRepository
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.statements.instances.cohort_counts import CountChanges, SavedChanges
from uplift.storage.statements.processes.model_cache import ModelCache


class SqlTransaction:
    """A transaction on one connection. Implements uplift.domain.ports.Transaction."""

    def __init__(
        self,
        connection: Connection,
        surrogate_keys: SurrogateKeys,
        model_cache: ModelCache,
        saved_changes: SavedChanges,
    ) -> None:
        chunks = CHUNKS[connection.dialect.name]
        self._session = Session(connection, surrogate_keys, chunks, CountChanges(saved_changes))
        self.processes = SqlProcessRepository(self._session, model_cache)
        self.instances = SqlInstanceRepository(self._session)
        self.upgrades = SqlUpgradeRepository(self._session)
        self.partitions: PartitionRepository = SqlPartitionRepository(self._session)
        self.links = SqlLinkRepository(self._session)

    async def save_counts(self) -> None:
        """Save the counts of the cohorts that it changed: its last statements before the commit."""
        await self._session.counts.save(self._session.connection)

    @property
    def has_awaited_change(self) -> bool:
        """Whether it changed an upgrade that other tasks may wait for.

        An upgrade that it added and finished itself was never visible while unfinished.
        """
        added = self._session.added
        return any(
            upgrade.id not in added or not upgrade.is_finished for upgrade in self._session.changed.values()
        )
