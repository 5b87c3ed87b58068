"""Reads upgrades, and watches their progress.

A store notifies only of the changes of its own program. Those of other programs show when the upgrade is read
again, so every wait has a short timeout.
"""

import time
from collections.abc import AsyncIterator

from uplift.domain.errors import UpgradeNotFound
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.model.upgrade_event import UpgradeEvent, events_of
from uplift.domain.ports import Store

POLL_INTERVAL = 0.5
"""Seconds between two reads of an upgrade by a waiting caller. A change by this program wakes it earlier."""


async def get_upgrade(store: Store, upgrade_id: UpgradeId) -> Upgrade:
    """Read an upgrade. Raises UpgradeNotFound."""
    found = await store.upgrades.find(upgrade_id)
    if found is None:
        raise UpgradeNotFound(upgrade_id=upgrade_id)
    return found


async def get_events(store: Store, upgrade: Upgrade) -> tuple[UpgradeEvent, ...]:
    """All events of an upgrade, the oldest first."""
    return events_of(upgrade, (await store.upgrades.operator_events([upgrade.id]))[upgrade.id])


async def watch(
    store: Store, upgrade_id: UpgradeId, *, interval: float = POLL_INTERVAL
) -> AsyncIterator[Upgrade]:
    """Yield the upgrade now, and after each change, at most once per `interval` seconds.

    Ends after the finished upgrade. Raises UpgradeNotFound, and ValueError unless `interval` is positive.
    """
    if interval <= 0:
        raise ValueError(f"Expected an interval of more than 0 seconds, but got {interval}.")
    seen: Upgrade | None = None
    while seen is None or not seen.is_finished:
        read_at = time.monotonic()
        found = await get_upgrade(store, upgrade_id)
        if found != seen:
            seen = found
            yield found
        # The interval limits how often the caller sees progress. The end is reported at once.
        while not found.is_finished and (remaining := interval - (time.monotonic() - read_at)) > 0:
            await store.wait_for_change(remaining)
            if (await get_upgrade(store, upgrade_id)).is_finished:
                break


async def wait_until_finished(
    store: Store, upgrade: Upgrade, *, timeout_seconds: float | None = None
) -> Upgrade:
    """Return the finished upgrade, or its state after `timeout_seconds` (None to wait without a limit)."""
    deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while not upgrade.is_finished:
        remaining = POLL_INTERVAL if deadline is None else min(POLL_INTERVAL, deadline - time.monotonic())
        if remaining <= 0:
            break
        await store.wait_for_change(remaining)
        upgrade = await get_upgrade(store, upgrade.id)
    return upgrade
