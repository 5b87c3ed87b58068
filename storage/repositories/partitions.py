"""Implements the ports of partitions."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.storage.repositories.sessions import Reading, Session
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements import partitions


class SqlLockedPartition:
    """Implements uplift.domain.ports.LockedPartition, and HeldPartition with the number of workers."""

    def __init__(
        self,
        session: Session,
        upgrade: Upgrade,
        upgrade_keys: UpgradeKeys,
        partition: Partition,
        workers: int = 1,
    ) -> None:
        self._connection = session.connection
        self._upgrade_keys = upgrade_keys
        self.upgrade = upgrade
        self.partition = partition
        self.workers = workers
        self.chunks = session.chunks(
            session.connection, session.surrogate_keys, upgrade_keys, upgrade, partition
        )

    async def add(self, partition: Partition) -> None:
        await partitions.add_partition(self._connection, self._upgrade_keys, partition)

    async def save(self, partition: Partition) -> None:
        await partitions.save_partition(self._connection, self._upgrade_keys, partition)

    async def end(self) -> None:
        await partitions.end_partition(self._connection, self._upgrade_keys, self.partition)


class SqlPartitionQueries:
    """Implements uplift.domain.ports.PartitionQueries."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def remaining(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[Partition, ...]]:
        async with self._reading() as (connection, _):
            return await partitions.find_partitions(connection, ids)


class SqlPartitionRepository:
    """Implements uplift.domain.ports.PartitionRepository."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def lock_held(self, upgrade_id: UpgradeId, worker: str, now: datetime) -> SqlLockedPartition | None:
        session = self._session
        found = await partitions.lock_held(
            session.connection, session.surrogate_keys, upgrade_id, worker, now
        )
        if found is None:
            return None
        upgrade, partition, upgrade_keys, workers = found
        return SqlLockedPartition(session, upgrade, upgrade_keys, partition, workers)
