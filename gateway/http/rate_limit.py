"""How often may one key ask?

Counted in this process alone, by a window that slides: of two gateways, each lets a key ask that often.
"""

import time
from math import ceil
from uuid import UUID

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from uplift.domain.errors import TooManyRequests


class RateLimit:
    """So many requests of each key in so much time.

    `rate` reads like `600/minute` or `20 per 10 second`; anything else raises ValueError.
    """

    def __init__(self, rate: str) -> None:
        self._rate = parse_rate(rate)
        self._window = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def count(self, key: UUID, *, caller: str) -> None:
        """Count a request of this key. Raises TooManyRequests when it is one too many."""
        if await self._window.hit(self._rate, str(key)):
            return
        stats = await self._window.get_window_stats(self._rate, str(key))
        raise TooManyRequests(
            caller=caller,
            allowed=_sentence(self._rate),
            retry_after=max(1, ceil(stats.reset_time - time.time())),
        )


def parse_rate(text: str) -> RateLimitItem:
    """The rate that a text like `600/minute` means. Raises ValueError."""
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
