"""A store and its transactions within the scope of a caller."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from uplift.domain.model.access import Caller, Namespaces
from uplift.domain.ports import Store, Transaction
from uplift.domain.scope.links import ScopedLinkQueries, ScopedLinkRepository, ScopedOrderQueries
from uplift.domain.scope.queries import (
    ScopedInstanceQueries,
    ScopedPartitionQueries,
    ScopedProcessQueries,
    ScopedUpgradeQueries,
)
from uplift.domain.scope.repositories import (
    ScopedInstanceRepository,
    ScopedPartitionRepository,
    ScopedProcessRepository,
    ScopedUpgradeRepository,
)


class ScopedTransaction:
    """Implements uplift.domain.ports.Transaction within the scope of a caller."""

    def __init__(self, transaction: Transaction, caller: Caller) -> None:
        self.processes = ScopedProcessRepository(transaction.processes, caller)
        self.instances = ScopedInstanceRepository(transaction.instances, caller)
        self.upgrades = ScopedUpgradeRepository(transaction.upgrades, caller)
        self.partitions = ScopedPartitionRepository(transaction, caller)
        self.links = ScopedLinkRepository(transaction, caller)


class ScopedStore:
    """Implements uplift.domain.ports.Store within the scope of a caller.

    Views of the same store with the same scope are equal, so what is read by one can be shown by the other.
    """

    def __init__(self, store: Store, caller: Caller) -> None:
        self._store = store
        self._caller = caller
        self.processes = ScopedProcessQueries(store.processes, caller)
        self.instances = ScopedInstanceQueries(store.instances, caller)
        self.upgrades = ScopedUpgradeQueries(store.upgrades, caller)
        self.partitions = ScopedPartitionQueries(store, caller)
        self.links = ScopedLinkQueries(store.links, caller)
        self.orders = ScopedOrderQueries(store, caller)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScopedStore) and self._shown == other._shown

    def __hash__(self) -> int:
        return hash(self._shown)

    @property
    def _shown(self) -> tuple[Store, Namespaces | None]:
        return self._store, self._caller.namespaces

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[ScopedTransaction]:
        async with self._store.transaction(in_background=in_background) as transaction:
            yield ScopedTransaction(transaction, self._caller)

    async def wait_for_change(self, seconds: float) -> None:
        await self._store.wait_for_change(seconds)
