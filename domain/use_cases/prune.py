"""How is the audit kept from growing for ever? Only by an operator who says so."""

from dataclasses import replace
from datetime import datetime

from uplift.domain.clock import Clock, utc_now
from uplift.domain.ports import Store

UPGRADES_TOGETHER = 1_000
OUTCOMES_TOGETHER = 20_000
"""Outcomes forgotten in one transaction, so that others may write between two."""


async def prune_outcomes(store: Store, *, before: datetime, clock: Clock = utc_now) -> int:
    """Forget the outcomes of all upgrades that were finished before a time; returns how many.

    The upgrades stay, with their counts and reasons; they can no longer be retried or undone. One that is
    being retried or undone keeps its outcomes until that is finished.
    """
    pruned = 0
    while True:
        async with store.transaction(in_background=True) as transaction:
            old = await transaction.prunable(before, UPGRADES_TOGETHER)
            left = OUTCOMES_TOGETHER
            for upgrade in old:
                # From the first step on: nobody may follow an upgrade of which a part is forgotten.
                marked = replace(upgrade, pruned_at=upgrade.pruned_at or clock())
                left -= await transaction.prune_outcomes(upgrade, left)
                await transaction.save_upgrade(marked)
                if left <= 0:
                    break
        if not old:
            return pruned
        pruned += OUTCOMES_TOGETHER - left
