"""How is the audit kept from growing for ever? Only by an operator who says so."""

from dataclasses import replace
from datetime import datetime

from domain.clock import Clock, utc_now
from domain.ports import Store

UPGRADES_TOGETHER = 100
OUTCOMES_TOGETHER = 20_000
"""Outcomes forgotten in one transaction, so that others may write between two."""


async def prune_outcomes(store: Store, *, before: datetime, clock: Clock = utc_now) -> int:
    """Forget the outcomes of all upgrades that were finished before a time; returns how many.

    The upgrades stay, with their counts and reasons; they can no longer be retried or undone.
    """
    pruned = 0
    while old := await store.prunable(before, UPGRADES_TOGETHER):
        for upgrade in old:
            gone = OUTCOMES_TOGETHER
            while gone >= OUTCOMES_TOGETHER:
                async with store.transaction() as transaction:
                    stored = await transaction.upgrade(upgrade.id)
                    assert stored is not None, "upgrades are never deleted"
                    gone = await transaction.prune_outcomes(upgrade.id, OUTCOMES_TOGETHER)
                    if gone < OUTCOMES_TOGETHER:
                        await transaction.save_upgrade(replace(stored, pruned_at=clock()))
                pruned += gone
    return pruned
