"""Implements the ports of partitions in memory."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.storage.memory import queries
from uplift.storage.memory.chunks import ChunksInMemory
from uplift.storage.memory.state import Committed, State


class LockedPartitionInMemory:
    """Implements uplift.domain.ports.LockedPartition, and HeldPartition with the number of workers."""

    def __init__(self, state: State, upgrade: Upgrade, partition: Partition, workers: int = 1) -> None:
        self._state = state
        self.upgrade = upgrade
        self.partition = partition
        self.workers = workers
        self.chunks = ChunksInMemory(state, upgrade, partition)

    async def add(self, partition: Partition) -> None:
        self._state.partitions[partition.upgrade, partition.last] = partition

    async def save(self, partition: Partition) -> None:
        key = (partition.upgrade, partition.last)
        more = partition.tally - self._state.partitions[key].tally
        self._state.partitions[key] = partition
        self._state.upgrades[self.upgrade.id] = self._state.upgrades[self.upgrade.id].with_tally(more)

    async def end(self) -> None:
        del self._state.partitions[self.upgrade.id, self.partition.last]


class PartitionQueriesInMemory:
    """Implements uplift.domain.ports.PartitionQueries."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed

    @property
    def _state(self) -> State:
        return self._committed.state

    async def remaining(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[Partition, ...]]:
        return {upgrade_id: queries.partitions_in(self._state, upgrade_id) for upgrade_id in ids}

    async def end_of_chunk(self, upgrade: Upgrade, partition: Partition, size: int) -> int | None:
        return queries.end_of_chunk(self._state, upgrade, partition, size)


class PartitionRepositoryInMemory:
    """Implements uplift.domain.ports.PartitionRepository."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def lock_held(
        self, upgrade_id: UpgradeId, worker: str, now: datetime
    ) -> LockedPartitionInMemory | None:
        partitions = queries.partitions_in(self._state, upgrade_id)
        own = next(
            (
                partition
                for partition in partitions
                if partition.lease is not None and partition.lease.worker == worker
            ),
            None,
        )
        if own is None:
            return None
        others = sum(partition.is_worked_on(now) for partition in partitions if partition != own)
        upgrade = self._state.upgrades[upgrade_id]
        return LockedPartitionInMemory(self._state, upgrade, own, others + 1)
