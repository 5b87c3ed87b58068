"""Pauses, resumes and cancels upgrades, and stores who did it and when."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from uplift.domain.clock import Clock, utc_now
from uplift.domain.errors import UpgradeNotFound
from uplift.domain.model.access import Caller, require_system_admin
from uplift.domain.model.upgrade import Upgrade, UpgradeId, UpgradeState
from uplift.domain.model.upgrade_event import UpgradeEvent, UpgradeEventKind
from uplift.domain.ports import LockedUpgrade, Store
from uplift.domain.rules.actions import UpgradeAction, require_allowed
from uplift.domain.use_cases.orders import completed


async def pause_upgrade(
    store: Store, upgrade_id: UpgradeId, *, caller: Caller, clock: Clock = utc_now
) -> Upgrade:
    """Stop an upgrade until it is resumed. No instance moves after this returns: it waits for running chunks.

    Of a linked upgrade no order is sent after this returns; those that were sent may still be carried out.
    Raises Forbidden, UpgradeNotFound or WrongState.
    """
    require_system_admin(caller)

    async def paused(locked: LockedUpgrade) -> Upgrade:
        return replace(await locked.stop(), state=UpgradeState.PAUSED)

    kind = UpgradeEventKind.PAUSED
    return await _change(store, upgrade_id, UpgradeAction.PAUSE, kind, paused, caller=caller, clock=clock)


async def resume_upgrade(
    store: Store, upgrade_id: UpgradeId, *, caller: Caller, clock: Clock = utc_now
) -> Upgrade:
    """Queue a paused upgrade again. Raises Forbidden, UpgradeNotFound or WrongState.

    A linked upgrade of which only orders remain needs no worker: it is RUNNING or, if the last order was
    answered since, COMPLETED.
    """
    require_system_admin(caller)

    async def resumed(locked: LockedUpgrade) -> Upgrade:
        if locked.upgrade.link is None or await locked.remaining():
            return replace(locked.upgrade, state=UpgradeState.QUEUED)
        running = replace(locked.upgrade, state=UpgradeState.RUNNING)
        return await completed(locked, running, clock)

    kind = UpgradeEventKind.RESUMED
    return await _change(store, upgrade_id, UpgradeAction.RESUME, kind, resumed, caller=caller, clock=clock)


async def cancel_upgrade(
    store: Store, upgrade_id: UpgradeId, *, caller: Caller, clock: Clock = utc_now
) -> Upgrade:
    """Stop an upgrade for good. Upgraded instances stay upgraded, those of running chunks included.

    Of a linked upgrade no order is sent after this returns. The answers to those that were sent still count.
    Raises Forbidden, UpgradeNotFound or WrongState.
    """
    require_system_admin(caller)

    async def cancelled(locked: LockedUpgrade) -> Upgrade:
        stopped = await locked.stop()
        return stopped.finished(UpgradeState.CANCELLED, clock())

    kind = UpgradeEventKind.CANCELLED
    return await _change(store, upgrade_id, UpgradeAction.CANCEL, kind, cancelled, caller=caller, clock=clock)


async def _change(
    store: Store,
    upgrade_id: UpgradeId,
    action: UpgradeAction,
    kind: UpgradeEventKind,
    change: Callable[[LockedUpgrade], Awaitable[Upgrade]],
    *,
    caller: Caller,
    clock: Clock,
) -> Upgrade:
    async with store.transaction() as transaction:
        locked = await transaction.upgrades.lock(upgrade_id)
        if locked is None:
            raise UpgradeNotFound(upgrade_id=upgrade_id)
        require_allowed(locked.upgrade, action)
        changed = await change(locked)
        # The locks above may take seconds, and webhooks announce only ends that are committed soon after
        # their time. So the time is taken late, and the same for an end and its event.
        at = changed.finished_at or clock()
        await locked.save(changed)
        await locked.add_event(UpgradeEvent(at=at, kind=kind, by=caller.name))
        return changed
