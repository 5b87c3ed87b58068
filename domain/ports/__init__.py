"""The ports of a store: what the use cases need of it, as groups of queries and of writes.

A store is safe to use from many tasks of one event loop. Its queries read committed data. Queries that a
list needs for each of its rows take many ids. A transaction belongs to one task, and its writes commit or
roll back together.
"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from uplift.domain.ports.chunks import Chunks, RecordedChunk
from uplift.domain.ports.instances import (
    ANY_INSTANCE,
    InstanceFilter,
    InstanceQueries,
    InstanceRepository,
    SelectedCohorts,
)
from uplift.domain.ports.links import LinkQueries, LinkRepository, LockedLink
from uplift.domain.ports.orders import OrderQueries, Orders
from uplift.domain.ports.partitions import (
    HeldPartition,
    LockedPartition,
    PartitionQueries,
    PartitionRepository,
)
from uplift.domain.ports.processes import (
    ANY_PROCESS,
    ProcessFilter,
    ProcessOrder,
    ProcessQueries,
    ProcessRepository,
)
from uplift.domain.ports.sweeps import (
    MergedInstances,
    Sighting,
    Sweeps,
    SweptInstance,
    UnseenInstance,
    UnseenInstances,
)
from uplift.domain.ports.upgrades import (
    ANY_OUTCOME,
    ANY_UPGRADE,
    LockedUpgrade,
    OutcomeFilter,
    UpgradeFilter,
    UpgradeQueries,
    UpgradeRepository,
)

__all__ = [
    "ANY_INSTANCE",
    "ANY_OUTCOME",
    "ANY_PROCESS",
    "ANY_UPGRADE",
    "Chunks",
    "HeldPartition",
    "InstanceFilter",
    "InstanceQueries",
    "InstanceRepository",
    "LinkQueries",
    "LinkRepository",
    "LockedLink",
    "LockedPartition",
    "LockedUpgrade",
    "MergedInstances",
    "OrderQueries",
    "Orders",
    "OutcomeFilter",
    "PartitionQueries",
    "PartitionRepository",
    "ProcessFilter",
    "ProcessOrder",
    "ProcessQueries",
    "ProcessRepository",
    "RecordedChunk",
    "SelectedCohorts",
    "Sighting",
    "Store",
    "Sweeps",
    "SweptInstance",
    "Transaction",
    "UnseenInstance",
    "UnseenInstances",
    "UpgradeFilter",
    "UpgradeQueries",
    "UpgradeRepository",
]


class Transaction(Protocol):
    """Writes that commit together or not at all.

    Use it from one task. What a method locks stays locked until the transaction ends.
    """

    @property
    def processes(self) -> ProcessRepository: ...

    @property
    def instances(self) -> InstanceRepository: ...

    @property
    def upgrades(self) -> UpgradeRepository: ...

    @property
    def partitions(self) -> PartitionRepository: ...

    @property
    def links(self) -> LinkRepository: ...


class Store(Protocol):
    """Stores processes, versions, instances, upgrades, links and orders."""

    @property
    def processes(self) -> ProcessQueries: ...

    @property
    def instances(self) -> InstanceQueries: ...

    @property
    def upgrades(self) -> UpgradeQueries: ...

    @property
    def partitions(self) -> PartitionQueries: ...

    @property
    def links(self) -> LinkQueries: ...

    @property
    def orders(self) -> OrderQueries: ...

    async def wait_for_change(self, seconds: float) -> None:
        """Return when an upgrade may have changed, after `seconds` at the latest.

        Returns at once for a change by this program, unless it is only the progress of an upgrade without a
        link. That, and a change by another program, need not wake the caller.
        """
        ...

    def transaction(self, *, in_background: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """Begin a transaction; it commits when the block ends and rolls back when the block raises.

        A cancellation within the block rolls back as well. One that arrives during the commit leaves open
        whether it took effect. A transaction in the background yields to all others where they compete for
        the machine.
        """
        ...
