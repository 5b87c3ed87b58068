"""Pauses, resumes and cancels upgrades, and stores who did it and when."""

from collections.abc import Callable
from dataclasses import replace

from uplift.domain.clock import Clock, utc_now
from uplift.domain.errors import UpgradeNotFound
from uplift.domain.model.access import Caller, require_system_admin
from uplift.domain.model.upgrade import Upgrade, UpgradeId, UpgradeState
from uplift.domain.model.upgrade_event import UpgradeEvent, UpgradeEventKind
from uplift.domain.ports import Store
from uplift.domain.rules.actions import UpgradeAction, require_allowed


async def pause_upgrade(
    store: Store, upgrade_id: UpgradeId, *, caller: Caller, clock: Clock = utc_now
) -> Upgrade:
    """Stop an upgrade until it is resumed. No instance moves after this returns: running chunks roll back.

    Raises Forbidden, UpgradeNotFound or WrongState.
    """
    require_system_admin(caller)
    event = UpgradeEvent(at=clock(), kind=UpgradeEventKind.PAUSED, by=caller.name)
    return await _change(
        store,
        upgrade_id,
        UpgradeAction.PAUSE,
        event,
        lambda upgrade: replace(upgrade, state=UpgradeState.PAUSED),
    )


async def resume_upgrade(
    store: Store, upgrade_id: UpgradeId, *, caller: Caller, clock: Clock = utc_now
) -> Upgrade:
    """Queue a paused upgrade again. Raises Forbidden, UpgradeNotFound or WrongState."""
    require_system_admin(caller)
    event = UpgradeEvent(at=clock(), kind=UpgradeEventKind.RESUMED, by=caller.name)
    return await _change(
        store,
        upgrade_id,
        UpgradeAction.RESUME,
        event,
        lambda upgrade: replace(upgrade, state=UpgradeState.QUEUED),
    )


async def cancel_upgrade(
    store: Store, upgrade_id: UpgradeId, *, caller: Caller, clock: Clock = utc_now
) -> Upgrade:
    """Stop an upgrade for good. Upgraded instances stay upgraded, and running chunks roll back.

    Raises Forbidden, UpgradeNotFound or WrongState.
    """
    require_system_admin(caller)
    event = UpgradeEvent(at=clock(), kind=UpgradeEventKind.CANCELLED, by=caller.name)
    return await _change(
        store,
        upgrade_id,
        UpgradeAction.CANCEL,
        event,
        lambda upgrade: upgrade.finished(UpgradeState.CANCELLED, event.at),
    )


async def _change(
    store: Store,
    upgrade_id: UpgradeId,
    action: UpgradeAction,
    event: UpgradeEvent,
    change: Callable[[Upgrade], Upgrade],
) -> Upgrade:
    async with store.transaction() as transaction:
        locked = await transaction.upgrades.lock(upgrade_id)
        if locked is None:
            raise UpgradeNotFound(upgrade_id=upgrade_id)
        require_allowed(locked.upgrade, action)
        changed = change(locked.upgrade)
        await locked.save(changed)
        await locked.add_event(event)
        return changed
