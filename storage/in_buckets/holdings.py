"""Remembers where the workers of a program hold partitions, so that a chunk need not look in all buckets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from uplift.domain.bounded_cache import BoundedCache
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Tally

LOOK_AGAIN_AFTER = timedelta(seconds=1)
"""For so long a worker's chunks do without a look at the partitions of other workers, in all buckets."""
MAX_HOLDINGS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Where a worker holds a partition, and what was found in all buckets when it was looked for.

    `own` are the counts of the upgrade itself then, and `others` is what all other partitions had done.
    """

    last: int
    own: Sequence[Any]
    others: Tally
    workers: int
    at: datetime


class Holdings:
    """The partitions that the workers of this program hold, most of which is still true at the next chunk."""

    def __init__(self) -> None:
        self._known: BoundedCache[tuple[UpgradeId, str], Holding] = BoundedCache(MAX_HOLDINGS)

    def find(self, upgrade_id: UpgradeId, worker: str, own: Sequence[Any], now: datetime) -> Holding | None:
        """The holding, if it is fresh, and the upgrade has taken over nothing since."""
        known = self._known.get((upgrade_id, worker))
        is_fresh = known is not None and known.own == own and known.at <= now < known.at + LOOK_AGAIN_AFTER
        return known if is_fresh else None

    def keep(self, upgrade_id: UpgradeId, worker: str, holding: Holding) -> None:
        """Remember a holding. It is checked under the lock of its partition each time."""
        self._known.put((upgrade_id, worker), holding, 1)
