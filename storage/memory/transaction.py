"""The writes in memory that commit together or not at all."""

from uplift.storage.memory.instances import InstanceRepositoryInMemory
from uplift.storage.memory.partitions import PartitionRepositoryInMemory
from uplift.storage.memory.processes import ProcessRepositoryInMemory
from uplift.storage.memory.state import State
from uplift.storage.memory.upgrades import UpgradeRepositoryInMemory


class InMemoryTransaction:
    """Writes to a draft of the state that becomes the state when the transaction ends well."""

    def __init__(self, state: State) -> None:
        self.processes = ProcessRepositoryInMemory(state)
        self.instances = InstanceRepositoryInMemory(state)
        self.upgrades = UpgradeRepositoryInMemory(state)
        self.partitions = PartitionRepositoryInMemory(state)
