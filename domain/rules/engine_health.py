"""Decides when to ask an engine again that did not answer, and when it counts as unreachable."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import random

BREAKER_FAILURES = 10
"""After as many failures in a row an engine counts as unreachable."""
MAX_RETRY_AFTER = timedelta(minutes=10)
"""The longest time for which an engine may ask to be left alone."""


class Backoff:
    """The time before the next attempt, which doubles with each failure in a row, with jitter.

    `random` returns numbers from 0 to 1.
    """

    def __init__(
        self,
        *,
        first: timedelta = timedelta(seconds=0.5),
        limit: timedelta = timedelta(seconds=60),
        random: Callable[[], float] = random,
    ) -> None:
        self._first = first
        self._limit = limit
        self._random = random
        self._failures = 0

    def failed(self, retry_after: timedelta | None = None) -> timedelta:
        """Count a failure, and return how long to wait; at least `retry_after`, which the engine asks for."""
        # The exponent is bounded, so that years of failures do not overflow.
        delay = min(self._limit, self._first * float(2 ** min(self._failures, 30)))
        self._failures += 1
        # Half of the delay is random: programs that failed together do not come back together.
        jittered = delay * (0.5 + 0.5 * self._random())
        return max(jittered, min(retry_after or timedelta(), MAX_RETRY_AFTER))

    def succeeded(self) -> None:
        """Begin anew at the first delay."""
        self._failures = 0


class Breaker:
    """Opens after BREAKER_FAILURES failures in a row, and closes at the next answer. Times are in UTC."""

    def __init__(self) -> None:
        self._failures = 0
        self._first_failure: datetime | None = None

    @property
    def open_since(self) -> datetime | None:
        """The time of the first failure of those that opened it; None while it is closed."""
        return self._first_failure if self._failures >= BREAKER_FAILURES else None

    def failed(self, now: datetime) -> None:
        """Count a failure."""
        self._first_failure = self._first_failure or now
        self._failures += 1

    def succeeded(self) -> None:
        """Close it."""
        self._failures = 0
        self._first_failure = None
