"""Reads upgrades, and watches their progress.

All who watch upgrades in the same part of a store share one reader. A store notifies only of the changes of
its own program. Those of other programs show when the upgrades are read again, which a reader does regularly.
"""

import asyncio
from collections.abc import AsyncGenerator

from uplift.domain.errors import UpgradeNotFound
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.model.upgrade_event import UpgradeEvent, events_of
from uplift.domain.ports import Store
from uplift.domain.shared_reader import SharedReader, SharedReaders

POLL_INTERVAL = 0.5
"""Seconds between two reads of the watched upgrades. A change by this program leads to a read at once."""


async def get_upgrade(store: Store, upgrade_id: UpgradeId) -> Upgrade:
    """Read an upgrade. Raises UpgradeNotFound."""
    return require_found(upgrade_id, await store.upgrades.find(upgrade_id))


async def get_events(store: Store, upgrade: Upgrade) -> tuple[UpgradeEvent, ...]:
    """All events of an upgrade, the oldest first."""
    return events_of(upgrade, (await store.upgrades.operator_events([upgrade.id]))[upgrade.id])


async def watch(
    store: Store, upgrade_id: UpgradeId, *, interval: float = POLL_INTERVAL
) -> AsyncGenerator[Upgrade, None]:
    """Yield the upgrade now, and after each change, at most once per `interval` seconds.

    Yields the finished upgrade at once, and ends. Raises UpgradeNotFound, and ValueError unless `interval` is
    positive.
    """
    if interval <= 0:
        raise ValueError(f"Expected an interval of more than 0 seconds, but got {interval}.")
    async with _readers.listening(store, upgrade_id, interval=interval) as listener:
        upgrade = require_found(upgrade_id, await listener.present())
        yield upgrade
        while not upgrade.is_finished:
            upgrade = require_found(upgrade_id, await listener.next(interval))
            yield upgrade


async def wait_until_finished(
    store: Store, upgrade: Upgrade, *, timeout_seconds: float | None = None
) -> Upgrade:
    """Return the finished upgrade, or its state after `timeout_seconds` (None to wait without a limit)."""
    if upgrade.is_finished or (timeout_seconds is not None and timeout_seconds <= 0):
        return upgrade
    async with _readers.listening(store, upgrade.id, interval=POLL_INTERVAL) as listener:
        try:
            async with asyncio.timeout(timeout_seconds) as limit:
                upgrade = require_found(upgrade.id, await listener.present())
                while not upgrade.is_finished:
                    upgrade = require_found(upgrade.id, await listener.next(None))
        except TimeoutError:
            if not limit.expired():
                raise
            return listener.newest() or upgrade
        return upgrade


def require_found(upgrade_id: UpgradeId, upgrade: Upgrade | None) -> Upgrade:
    """The upgrade. Raises UpgradeNotFound if there is none."""
    if upgrade is None:
        raise UpgradeNotFound(upgrade_id=upgrade_id)
    return upgrade


def _reader(store: Store, interval: float) -> SharedReader[UpgradeId, Upgrade]:
    return SharedReader(
        store.upgrades.find_many,
        store.wait_for_change,
        interval=interval,
        is_final=lambda upgrade: upgrade.is_finished,
    )


_readers = SharedReaders(_reader)
"""By stores: views of one store with the same scope are equal."""
