"""How far has an upgrade come, and when is it finished?

A store tells at once what this program did, and what others did only when asked: so one waits for news, but
never long.
"""

import time
from collections.abc import AsyncIterator

from uplift.domain.errors import UpgradeNotFound
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.ports import Store

ASK_EVERY = 0.5
"""Seconds between two looks at an upgrade that another program may be working on."""


async def get_upgrade(store: Store, upgrade_id: UpgradeId) -> Upgrade:
    """The upgrade of this id. Raises UpgradeNotFound."""
    found = await store.upgrades.find(upgrade_id)
    if found is None:
        raise UpgradeNotFound(upgrade_id=upgrade_id)
    return found


async def watch(store: Store, upgrade_id: UpgradeId, *, every: float = ASK_EVERY) -> AsyncIterator[Upgrade]:
    """The upgrade as it is, and again when it has changed, at most once in `every` seconds, to its end.

    The last one given is finished. Raises UpgradeNotFound, and ValueError for no time at all.
    """
    if every <= 0:
        raise ValueError(f"Expected to look at most once in some seconds, but got {every}.")
    seen: Upgrade | None = None
    while seen is None or not seen.is_finished:
        looked = time.monotonic()
        found = await get_upgrade(store, upgrade_id)
        if found != seen:
            seen = found
            yield found
        while not found.is_finished and (left := every - (time.monotonic() - looked)) > 0:
            await store.wait_for_change(left)
            if (await get_upgrade(store, upgrade_id)).is_finished:
                break


async def wait_until_finished(store: Store, upgrade: Upgrade, *, seconds: float | None = None) -> Upgrade:
    """The upgrade when it is finished, or as it is after so many seconds (None: however long it takes)."""
    end = None if seconds is None else time.monotonic() + seconds
    while not upgrade.is_finished:
        left = ASK_EVERY if end is None else min(ASK_EVERY, end - time.monotonic())
        if left <= 0:
            break
        await store.wait_for_change(left)
        upgrade = await get_upgrade(store, upgrade.id)
    return upgrade
