"""Makes the orders of a held link visible to an engine that pulls them."""

import asyncio
from collections.abc import Callable

from uplift.domain.concurrency import first_of
from uplift.domain.model.order import ANY_TIME, OrderBatch
from uplift.domain.use_cases.links.holding import HeldLink
from uplift.domain.use_cases.orders import drop_orders, send_orders

MAX_UNSETTLED = 10_000
"""The most orders that an engine can pull before it settles some: after a pause no more of them follow."""
BATCH_SIZE = 1_000
DROP_SIZE = 10_000
"""The orders that one transaction marks as SENT, and the orders of an ended upgrade that one refuses."""
POLL_SECONDS = 0.5
"""The time between two looks while nothing is to do. A change by this program ends it."""


def _ignore(_: OrderBatch) -> None:
    """Wakes nobody."""


class PullSender:
    """Marks orders as SENT, up to MAX_UNSETTLED, until `stopping` is set. The engine settles them itself.

    `on_sent` is called with each batch that the engine can fetch by then, to wake it.
    """

    def __init__(
        self, held: HeldLink, stopping: asyncio.Event, *, on_sent: Callable[[OrderBatch], None] = _ignore
    ) -> None:
        self._held = held
        self._stopping = stopping
        self._on_sent = on_sent

    async def run(self) -> None:
        """Send and drop orders until `stopping` is set. Raises LinkLostError and StoreUnavailable."""
        await self._wake()
        while not self._stopping.is_set():
            if not await self.run_once():
                await first_of(self._held.store.wait_for_change(POLL_SECONDS), self._stopping.wait())

    async def _wake(self) -> None:
        """Wake the engine for orders of an earlier holder, which may have stopped before its event."""
        async with self._held.transaction() as (_, link):
            batch = await link.orders.unanswered(ANY_TIME, BATCH_SIZE)
        if batch is not None:
            self._on_sent(batch)

    async def run_once(self) -> bool:
        """Mark some orders as SENT, and refuse some of ended upgrades. False if there are none."""
        async with self._held.transaction() as (transaction, link):
            free = MAX_UNSETTLED - await link.orders.count_unanswered(MAX_UNSETTLED)
            batch = None
            if free:
                batch = await send_orders(
                    transaction, link, min(free, BATCH_SIZE), clock=self._held.worker.clock
                )
        if batch is not None:
            self._on_sent(batch)
        async with self._held.transaction() as (transaction, link):
            dropped = await drop_orders(transaction, link, DROP_SIZE)
        return batch is not None or dropped > 0
