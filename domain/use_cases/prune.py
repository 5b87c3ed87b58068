"""Prunes the outcomes of old upgrades, and positions that nobody has, when an operator requests it."""

from dataclasses import replace
from datetime import datetime

from uplift.domain.clock import Clock, utc_now
from uplift.domain.model.upgrade_event import UpgradeEvent, UpgradeEventKind
from uplift.domain.ports import Store

UPGRADES_PER_TRANSACTION = 1_000
OUTCOMES_PER_TRANSACTION = 20_000
"""The most outcomes deleted in one transaction. Other programs write between two transactions."""
POSITIONS_PER_TRANSACTION = 1_000


async def prune_outcomes(
    store: Store, *, before: datetime, by: str | None = None, clock: Clock = utc_now
) -> int:
    """Delete the outcomes of all upgrades that finished before a time, and return their number.

    The upgrades stay, with counts and reasons, but can no longer be retried or undone. `by` names the
    operator in their events. While an upgrade is being retried or undone, it keeps its outcomes. Also deletes
    positions that no instance and no decision has.
    """
    pruned = 0
    while True:
        async with store.transaction(in_background=True) as transaction:
            prunable = await transaction.upgrades.lock_prunable(before, UPGRADES_PER_TRANSACTION)
            remaining = OUTCOMES_PER_TRANSACTION
            for locked in prunable:
                # The mark is set with the first deleted outcomes: a retry or an undo needs all of them, so it
                # must no longer start.
                pruned_at = locked.upgrade.pruned_at or clock()
                remaining -= await locked.prune_outcomes(remaining)
                await locked.save(replace(locked.upgrade, pruned_at=pruned_at))
                if by is not None and locked.upgrade.pruned_at is None:
                    await locked.add_event(UpgradeEvent(at=pruned_at, kind=UpgradeEventKind.PRUNED, by=by))
                if remaining <= 0:
                    break
        if not prunable:
            await _prune_positions(store)
            return pruned
        pruned += OUTCOMES_PER_TRANSACTION - remaining


async def _prune_positions(store: Store) -> None:
    deleted = POSITIONS_PER_TRANSACTION
    while deleted:
        async with store.transaction(in_background=True) as transaction:
            deleted = await transaction.instances.prune_positions(POSITIONS_PER_TRANSACTION)
