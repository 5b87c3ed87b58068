"""Reads, leases and divides the partitions of upgrades."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.domain.ports.chunks import Chunks


class PartitionQueries(Protocol):
    """Reads committed partitions. Each call reads its own snapshot and waits for no writer."""

    async def remaining(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[Partition, ...]]:
        """Return the remaining partitions of each upgrade, along its selection."""
        ...

    async def end_of_chunk(self, upgrade: Upgrade, partition: Partition, size: int) -> int | None:
        """Find the end position of the next chunk of `size` instances of a partition, for `record_and_move`.

        None if the chunk is to find it itself, which is right in each store, and in most as fast.
        """
        ...


class LockedPartition(Protocol):
    """A partition that no other transaction changes until this one ends.

    Only the holder of a partition may divide it: `add` keeps a further partition of the same upgrade. Lock
    the upgrade first to add or to end one; a chunk, which locks its partition alone, does neither.
    """

    @property
    def partition(self) -> Partition:
        """The partition as it was when it was locked."""
        ...

    @property
    def chunks(self) -> Chunks:
        """Records and moves the instances after the cursor of `partition`."""
        ...

    async def add(self, partition: Partition) -> None:
        """Keep a partition of the upgrade that has no position in common with any other."""
        ...

    async def save(self, partition: Partition) -> None:
        """Store cursor, lease and tally of the partition of the upgrade that ends at `partition.last`."""
        ...

    async def end(self) -> None:
        """Delete the partition because nothing of it remains; the upgrade takes over its tally."""
        ...


class HeldPartition(LockedPartition, Protocol):
    """A locked partition that is leased to the calling worker."""

    @property
    def upgrade(self) -> Upgrade:
        """The upgrade as it was when the partition was locked; other transactions may change it."""
        ...

    @property
    def workers(self) -> int:
        """How many workers hold a valid lease on the upgrade, this one included."""
        ...


class PartitionRepository(Protocol):
    """Locks partitions within a transaction."""

    async def lock_held(self, upgrade_id: UpgradeId, worker: str, now: datetime) -> HeldPartition | None:
        """Lock the first partition of an upgrade that is leased to this worker, even an expired lease.

        Waits for a transaction that takes the lease away, and returns None then. Locks the partition only:
        other transactions may change the upgrade, but cannot stop it before this transaction ends (see
        `LockedUpgrade.stop`). `now` decides which leases of other workers count.
        """
        ...
