"""Bounds how many requests a server processes concurrently, in all and of each caller."""

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from uplift.web.errors import HttpCode, RequestError

MAX_REQUESTS = 500
MAX_REQUESTS_PER_CALLER = 100
RETRY_AFTER = 1
"""Seconds after which a refused client should try again."""


class RequestSlots:
    """The requests that a server processes now, by caller.

    The last tenth of the slots is kept for callers that have none.
    """

    def __init__(self, limit: int = MAX_REQUESTS, limit_per_caller: int = MAX_REQUESTS_PER_CALLER) -> None:
        self._limit = limit
        self._limit_per_caller = limit_per_caller
        self._taken: Counter[Hashable] = Counter()
        self._total = 0

    @contextmanager
    def taken(self, owner: Hashable) -> Iterator[None]:
        """Count a request of the caller while the block runs.

        Raises RequestError: 429 if the caller has its largest number of requests, 503 if the server is full.
        """
        self._require_slot_for(owner)
        self._taken[owner] += 1
        self._total += 1
        try:
            yield
        finally:
            self._total -= 1
            self._taken[owner] -= 1
            if not self._taken[owner]:
                del self._taken[owner]

    def _require_slot_for(self, owner: Hashable) -> None:
        own, reserved = self._taken[owner], max(1, self._limit // 10)
        if own >= self._limit_per_caller:
            raise _refused(429, f"at most {self._limit_per_caller:,} concurrent requests of one API key")
        if self._total >= self._limit or (own and self._total >= self._limit - reserved):
            raise _refused(503, f"at most {self._limit:,} concurrent requests")


def _refused(status: int, expected: str) -> RequestError:
    message = f"Expected {expected}, but there would be more; try later."
    return RequestError(status, HttpCode.LIMIT_EXCEEDED, message, headers={"retry-after": str(RETRY_AFTER)})
