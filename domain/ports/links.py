"""Reads, adds and locks links, with their processes, versions, orders and sweeps."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from uplift.domain.model.link import EngineVersionId, Link, LinkId
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.linked_process import LinkedProcess
from uplift.domain.model.process import ProcessKey, VersionNumber
from uplift.domain.model.selection import UpgradeId
from uplift.domain.ports.orders import Orders
from uplift.domain.ports.sweeps import Sweeps


class LinkQueries(Protocol):
    """Reads committed links. Each call reads its own snapshot and waits for no writer."""

    async def all(self) -> tuple[Link, ...]:
        """Return all links by name. Removed ones are absent."""
        ...

    async def all_with_status(self) -> tuple[tuple[Link, LinkStatus], ...]:
        """Return all links by name, each with its status."""
        ...

    async def find(self, link_id: LinkId) -> Link | None:
        """Return a link; None when it does not exist or was removed."""
        ...

    async def statuses(self, ids: Sequence[LinkId]) -> Mapping[LinkId, LinkStatus]:
        """Return the status of each of these links that exists."""
        ...

    async def claimable(self, now: datetime) -> Link | None:
        """Return a link that no worker holds at a time; None if workers hold all."""
        ...

    async def processes(self, link_id: LinkId) -> tuple[LinkedProcess, ...]:
        """Return the processes of a link by name."""
        ...

    async def versions(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, Mapping[VersionNumber, EngineVersionId]]:
        """Return the engine's id of each version of each process; empty for one that is not linked."""
        ...

    async def ended_upgrades(
        self, link_id: LinkId, after: datetime, until: datetime, limit: int
    ) -> tuple[UpgradeId, ...]:
        """Return up to `limit` upgrades of a link that ended after one time and not after another.

        The one that ended first comes first.
        """
        ...


class LockedLink(Protocol):
    """A link that no other transaction changes until this one ends."""

    @property
    def link(self) -> Link: ...

    @property
    def status(self) -> LinkStatus:
        """The status as it was when the link was locked."""
        ...

    @property
    def orders(self) -> Orders: ...

    @property
    def sweeps(self) -> Sweeps: ...

    async def save(self, status: LinkStatus) -> None:
        """Store the status."""
        ...

    async def add_process(self, process: LinkedProcess) -> None:
        """Link a process that exists and is not linked. Its instances stay."""
        ...

    async def put_version(
        self, process_key: ProcessKey, number: VersionNumber, engine_id: EngineVersionId
    ) -> None:
        """Store the engine's id of a version of a process of this link, or replace it."""
        ...

    async def unfinished_upgrade(self) -> UpgradeId | None:
        """Return an upgrade of this link that has not finished or has unanswered orders; None if none has."""
        ...

    async def remove(self) -> None:
        """Remove the link, and what was staged. Its processes are no longer linked; they and orders stay."""
        ...


class LinkRepository(Protocol):
    """Adds and locks links within a transaction.

    A transaction locks one link, and before anything else that it locks: see uplift.domain.ports.orders.
    """

    async def add(self, link: Link) -> None:
        """Add a link. Raises LinkExists for a name that is taken.

        Waits for a concurrent transaction that adds a link.
        """
        ...

    async def find(self, link_id: LinkId) -> Link | None:
        """Return a link without locking it."""
        ...

    async def lock(self, link_id: LinkId) -> LockedLink | None:
        """Lock a link, held or not; None when it does not exist. Waits for the transaction that locks it.

        Enough to settle orders, because the engine's answer is right whatever happened to the lease.
        """
        ...

    async def lock_held(self, link_id: LinkId, worker: str) -> LockedLink | None:
        """Lock a link that is leased to this worker, even by an expired lease; None if it is not."""
        ...

    async def lock_claimable(self, now: datetime) -> LockedLink | None:
        """Lock a link that no worker holds at a time, the one whose lease expired first.

        Skips links that another transaction has locked. Save a status with a lease to claim it.
        """
        ...
