"""Provides the present time by the clock of the database, which all programs on it share.

Leases, the expiry of keys and the times in the audit are compared by several programs. The clocks of their
machines may differ; that of the database is the same for all.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Self

from structlog import get_logger

from uplift.domain.clock import utc_now
from uplift.domain.errors import StoreUnavailable
from uplift.storage.database import Database

MEASURE_INTERVAL = 30.0
"""Seconds between two looks at the clock of the database."""
MAX_DIFFERENCE = timedelta(seconds=2)
"""How far clocks may differ before the log has a warning."""


class DatabaseClock:
    """A clock of the domain: this machine's, corrected by the difference that was measured last.

    While the database does not answer, the difference stays; before the first measurement it is zero.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._difference = timedelta()
        self._is_reported = False

    @classmethod
    async def measured(cls, database: Database) -> Self:
        """A clock that has been measured once, for a command."""
        clock = cls(database)
        await clock.measure()
        return clock

    def __call__(self) -> datetime:
        return utc_now() + self._difference

    async def measure(self) -> None:
        """Ask the database for its time. The answer is at most half a round trip off."""
        before = utc_now()
        try:
            now = await self._database.now()
        except StoreUnavailable:
            return  # the log has an outage from requests and workers
        self._difference = now - (before + (utc_now() - before) / 2)
        differs = abs(self._difference) > MAX_DIFFERENCE
        if differs and not self._is_reported:
            seconds = round(-self._difference.total_seconds(), 1)
            get_logger(__name__).warning("the clock differs from the database's", seconds_ahead=seconds)
        self._is_reported = differs

    async def measure_until(self, stopping: asyncio.Event, interval: float = MEASURE_INTERVAL) -> None:
        """Measure every `interval` seconds until `stopping` is set."""
        while not stopping.is_set():
            try:
                async with asyncio.timeout(interval):
                    await stopping.wait()
            except TimeoutError:
                await self.measure()
