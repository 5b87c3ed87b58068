"""Claims links for a worker, and holds them by a lease.

The holder of a link alone sends its orders and sweeps its engine. When its lease expires, because the worker
died or was suspended, another worker may claim the link, and asks the engine about what was sent.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

from uplift.domain.model.instance import InstanceId
from uplift.domain.model.link import Link, LinkId
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.ports import LockedLink, Store, Transaction
from uplift.domain.use_cases.worker import Worker

Sleep = Callable[[float], Awaitable[object]]
"""Waits for so many seconds."""


class LinkLostError(Exception):
    """The worker no longer holds the link: its lease expired, another worker has it, or it was removed."""

    def __init__(self, link: Link) -> None:
        super().__init__(f"The lease on link '{link.name}' is lost.")


class HeldLink:
    """A link that a worker holds. `monotonic` returns seconds of a clock that is never set."""

    def __init__(
        self, store: Store, link: Link, worker: Worker, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.store = store
        self.link = link
        self.worker = worker
        self.monotonic = monotonic
        self._valid_until = monotonic() + worker.lease_for.total_seconds()
        self._settled: set[InstanceId] | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[tuple[Transaction, LockedLink]]:
        """A transaction that has locked the link. Raises LinkLostError."""
        async with self.store.transaction(in_background=True) as transaction:
            locked = await transaction.links.lock_held(self.link.id, self.worker.name)
            if locked is None:
                raise LinkLostError(self.link)
            yield transaction, locked

    def require_valid(self) -> None:
        """Raise LinkLostError if the lease has expired, so that another worker may hold the link by now.

        A transaction needs no such check, but a request to an engine does: nothing locks the engine.
        """
        if self.monotonic() > self._valid_until:
            raise LinkLostError(self.link)

    async def renew(self, change: Callable[[LinkStatus], LinkStatus] = lambda status: status) -> None:
        """Renew the lease, and change the status of the link. Raises LinkLostError."""
        # Measured before the transaction: the lease that it stores begins later.
        began = self.monotonic()
        async with self.transaction() as (_, locked):
            await locked.save(replace(change(locked.status), lease=self.worker.lease()))
        self._valid_until = began + self.worker.lease_for.total_seconds()

    def note_settled(self, ids: Iterable[InstanceId]) -> None:
        """Note instances whose orders are about to be settled, for a sweep that is under way."""
        if self._settled is not None:
            self._settled.update(ids)

    def was_settled(self, instance_id: InstanceId) -> bool:
        """Whether an order of the instance was settled in a `noting_settled` block that is under way."""
        return self._settled is not None and instance_id in self._settled

    @contextmanager
    def noting_settled(self) -> Iterator[None]:
        """Collect the instances whose orders are settled in this block."""
        self._settled = set()
        try:
            yield
        finally:
            self._settled = None


async def claim_link(store: Store, worker: Worker) -> HeldLink | None:
    """Claim a link that no worker holds; None if there is none."""
    # This read takes no lock, and most polls of an idle worker end here.
    if await store.links.claimable(worker.clock()) is None:
        return None
    async with store.transaction() as transaction:
        locked = await transaction.links.lock_claimable(worker.clock())
        if locked is None:
            return None
        held = HeldLink(store, locked.link, worker)
        await locked.save(replace(locked.status, lease=worker.lease()))
        return held


async def release_link(store: Store, link_id: LinkId, worker: Worker) -> None:
    """Give back the lease of the worker, if it still holds the link."""
    async with store.transaction() as transaction:
        locked = await transaction.links.lock_held(link_id, worker.name)
        if locked is not None:
            await locked.save(replace(locked.status, lease=None))
