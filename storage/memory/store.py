"""Provides the store in memory."""

from asyncio import Lock
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from uplift.domain.change_signal import ChangeSignal
from uplift.storage.memory.instances import InstanceQueriesInMemory
from uplift.storage.memory.links import LinkQueriesInMemory
from uplift.storage.memory.orders import OrderQueriesInMemory
from uplift.storage.memory.partitions import PartitionQueriesInMemory
from uplift.storage.memory.processes import ProcessQueriesInMemory
from uplift.storage.memory.state import Committed
from uplift.storage.memory.transaction import InMemoryTransaction
from uplift.storage.memory.upgrades import UpgradeQueriesInMemory


class InMemoryStore:
    """A Store that keeps its data until the program ends. Implements uplift.domain.ports.Store."""

    def __init__(self) -> None:
        self._committed = Committed()
        self.processes = ProcessQueriesInMemory(self._committed)
        self.instances = InstanceQueriesInMemory(self._committed)
        self.upgrades = UpgradeQueriesInMemory(self._committed)
        self.partitions = PartitionQueriesInMemory(self._committed)
        self.links = LinkQueriesInMemory(self._committed)
        self.orders = OrderQueriesInMemory(self._committed)
        self._lock = Lock()
        self._change_signal = ChangeSignal()

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[InMemoryTransaction]:
        del in_background  # one lock orders all transactions, so none has priority
        async with self._lock:
            draft = self._committed.state.snapshot()
            yield InMemoryTransaction(draft)
            self._committed.state = draft
        self._change_signal.notify()

    async def wait_for_change(self, seconds: float) -> None:
        await self._change_signal.wait(seconds)
