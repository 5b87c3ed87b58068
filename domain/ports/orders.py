"""Sends and settles the orders of a link.

Everything here happens under the lock of the link, so no two transactions send or settle orders of one link
at the same time, and numbers are consecutive in the order of the commits. Chunks add orders without this
lock: see `Chunks.order`.

Lock order of all transactions: the link, the instances (along their registration), then the upgrades (along
their ids). Nothing here changes the counts of an upgrade. The use cases in uplift.domain.use_cases.orders
call these methods, and save the counts under the lock of the upgrade.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from uplift.domain.model.decision import SkipReason
from uplift.domain.model.link import LinkId
from uplift.domain.model.order import Order, OrderBatch, OrderNumber, SettledOrders, Settlement
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.selection import UpgradeId


class OrderQueries(Protocol):
    """Reads committed orders. Each call reads its own snapshot and waits for no writer."""

    async def page(self, link: LinkId, page: PageRequest) -> Page[Order]:
        """Return a page of the orders of a link that have a number, by number, which is the sort key.

        Numbers are consecutive: a page never skips an order that is committed later. Pruned orders are
        absent.
        """
        ...

    async def first_unanswered(self, link: LinkId) -> OrderNumber | None:
        """Return the number of the oldest SENT order of a link; None if all are answered."""
        ...


class Orders(Protocol):
    """The orders of a locked link. Each method is a few statements on sets, however many orders there are."""

    async def next_to_send(self) -> UpgradeId | None:
        """Return the oldest QUEUED or RUNNING upgrade of the link with ORDERED orders, without locking it."""
        ...

    async def send(self, upgrade_id: UpgradeId, limit: int, at: datetime) -> OrderBatch | None:
        """Mark up to `limit` ORDERED orders of one cohort of a locked upgrade as SENT at a time.

        Gives each the next number of the link, unless it has one, and counts the attempt. None if the upgrade
        has no ORDERED order. Lock the upgrade before, so that its state is certain.
        """
        ...

    async def unanswered(self, sent_before: datetime, limit: int) -> OrderBatch | None:
        """Return up to `limit` SENT orders of one cohort that were last sent before a time, the oldest first.

        They are of any upgrade of the link, also of a PAUSED one and of one that has ended.
        """
        ...

    async def count_unanswered(self, limit: int) -> int:
        """Count the SENT orders of the link, up to `limit`."""
        ...

    async def resend(self, numbers: Sequence[OrderNumber], at: datetime) -> int:
        """Count another attempt of those orders that are SENT, with the same number. Returns how many."""
        ...

    async def put_back(self, numbers: Sequence[OrderNumber]) -> Sequence[tuple[UpgradeId, int]]:
        """Make those orders that are SENT ORDERED again, and return how many, by upgrade.

        They keep their numbers. Only for orders that the engine has certainly not carried out and will not.
        """
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> Sequence[SettledOrders]:
        """Settle those orders that are SENT, and ignore all other numbers. Returns the counts by upgrade.

        Locks the instances of confirmed orders and moves each to the version and position of its decision. An
        instance whose status or position was reported since keeps these, and one that is on another version
        than the order's source stays as it is.
        """
        ...

    async def next_to_drop(self) -> UpgradeId | None:
        """Return the oldest ended upgrade of the link with ORDERED orders, without locking it."""
        ...

    async def drop(self, upgrade_id: UpgradeId, limit: int, refusal: SkipReason) -> int:
        """Refuse up to `limit` ORDERED orders of a locked upgrade for a reason; returns how many."""
        ...
