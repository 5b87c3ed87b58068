"""Provides the repositories of one transaction on a database with buckets."""

from uplift.storage.in_buckets.chunks import bucket_chunks
from uplift.storage.in_buckets.counts import CountsOfBuckets
from uplift.storage.in_buckets.holdings import Holdings
from uplift.storage.in_buckets.instances import BucketInstanceRepository
from uplift.storage.in_buckets.links import BucketLinkRepository
from uplift.storage.in_buckets.partitions import BucketPartitionRepository
from uplift.storage.in_buckets.sessions import BucketSession
from uplift.storage.in_buckets.upgrades import BucketUpgradeRepository
from uplift.storage.repositories.processes import SqlProcessRepository
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.statements.instances.cohort_counts import CountChanges, SavedChanges
from uplift.storage.statements.processes.model_cache import ModelCache
from uplift.storage.transaction import SqlTransaction


class BucketTransaction(SqlTransaction):
    """A transaction on one connection. Implements uplift.domain.ports.Transaction."""

    def __init__(
        self,
        connection: Connection,
        surrogate_keys: SurrogateKeys,
        model_cache: ModelCache,
        saved_changes: SavedChanges,
        holdings: Holdings,
    ) -> None:
        self._bucket_counts = CountsOfBuckets(saved_changes)
        self._session = session = BucketSession(
            connection=connection,
            surrogate_keys=surrogate_keys,
            chunks=bucket_chunks,
            counts=CountChanges(saved_changes),
            bucket_counts=self._bucket_counts,
            holdings=holdings,
        )
        self.processes = SqlProcessRepository(session, model_cache)
        self.instances = BucketInstanceRepository(session)
        self.upgrades = BucketUpgradeRepository(session)
        self.partitions = BucketPartitionRepository(session)
        self.links = BucketLinkRepository(session)

    async def save_counts(self) -> None:
        await self._bucket_counts.save(self._session.connection)
