"""Provides what a store needs to work on a database with buckets."""

from uplift.storage.in_buckets.holdings import Holdings
from uplift.storage.in_buckets.instances import BucketInstanceQueries
from uplift.storage.in_buckets.partitions import BucketPartitionQueries
from uplift.storage.in_buckets.processes import BucketProcessQueries
from uplift.storage.in_buckets.transaction import BucketTransaction
from uplift.storage.in_buckets.upgrades import BucketUpgradeQueries
from uplift.storage.repositories.sessions import Reading
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.statements.instances.cohort_counts import SavedChanges
from uplift.storage.statements.processes.model_cache import ModelCache


class BucketParts:
    """The queries and transactions of a store whose database has buckets."""

    def __init__(self, reading: Reading, model_cache: ModelCache, saved_changes: SavedChanges) -> None:
        self._model_cache = model_cache
        self._saved_changes = saved_changes
        self._holdings = Holdings()
        self.processes = BucketProcessQueries(reading, model_cache)
        self.instances = BucketInstanceQueries(reading)
        self.upgrades = BucketUpgradeQueries(reading)
        self.partitions = BucketPartitionQueries(reading)

    def transaction(self, connection: Connection, surrogate_keys: SurrogateKeys) -> BucketTransaction:
        """The repositories of a transaction on this connection."""
        return BucketTransaction(
            connection, surrogate_keys, self._model_cache, self._saved_changes, self._holdings
        )
