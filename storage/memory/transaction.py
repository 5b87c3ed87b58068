"""Provides the transactions of the store in memory."""

from uplift.storage.memory.instances import InstanceRepositoryInMemory
from uplift.storage.memory.links import LinkRepositoryInMemory
from uplift.storage.memory.partitions import PartitionRepositoryInMemory
from uplift.storage.memory.processes import ProcessRepositoryInMemory
from uplift.storage.memory.state import State
from uplift.storage.memory.upgrades import UpgradeRepositoryInMemory


class InMemoryTransaction:
    """Writes to a copy of the state. The store replaces its state by the copy on commit."""

    def __init__(self, state: State) -> None:
        self.processes = ProcessRepositoryInMemory(state)
        self.instances = InstanceRepositoryInMemory(state)
        self.upgrades = UpgradeRepositoryInMemory(state)
        self.partitions = PartitionRepositoryInMemory(state)
        self.links = LinkRepositoryInMemory(state)
