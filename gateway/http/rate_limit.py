"""Limits the requests of each API key.

Each process counts for itself in a sliding window, so two gateways together allow twice the rate.
"""

import time
from math import ceil
from uuid import UUID

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from uplift.domain.errors import TooManyRequests
from uplift.graphql_api.server_info import Rate


class RateLimit:
    """A limit such as `600/minute` or `20 per 10 second` on each key. Raises ValueError for another text."""

    def __init__(self, rate: str) -> None:
        self._rate = parse_rate(rate)
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())

    @property
    def rate(self) -> Rate:
        """The largest number of requests of a key, and the time in which they count."""
        return Rate(requests=self._rate.amount, seconds=self._rate.get_expiry())

    async def count(self, key_id: UUID, *, caller: str) -> None:
        """Count a request of this key. Raises TooManyRequests above the limit."""
        if await self._window.hit(self._rate, str(key_id)):
            return
        stats = await self._window.get_window_stats(self._rate, str(key_id))
        raise TooManyRequests(
            caller=caller,
            allowed=_sentence(self._rate),
            retry_after=max(1, ceil(stats.reset_time - time.time())),
        )


def parse_rate(text: str) -> RateLimitItem:
    """Parse a rate such as `600/minute`. Raises ValueError."""
    try:
        rate = parse(text)
    except ValueError:
        rate = None
    if rate is None or rate.amount < 1 or rate.multiples < 1:
        raise ValueError("Expected a rate like 600/minute or 20 per 10 second")
    return rate


def _sentence(rate: RateLimitItem) -> str:
    every = rate.GRANULARITY.name if rate.multiples == 1 else f"{rate.multiples} {rate.GRANULARITY.name}s"
    return f"{rate.amount:,} requests per {every}"
