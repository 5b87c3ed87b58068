"""Decides how many instances a request to an engine moves, and when it may be sent."""

TARGET_SECONDS = 1.0
"""About how long a request should take: short enough to stop soon, long enough to need few requests."""
MIN_SIZE = 10
"""Smaller requests would only multiply what each request costs, however slow the engine is."""
MAX_REFUSED = 0.1
"""With a larger part of refused instances, requests get smaller: each of them costs a further request."""


class TokenBucket:
    """Bounds how many instances a second are sent on average. Times are seconds of a monotonic clock.

    Requests pay afterwards: a request may be sent while the balance is not negative, and then spends what it
    moves. So a request may be larger than the bucket, and the next one waits for longer.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._balance = 0.0
        self._updated = now

    @property
    def max_size(self) -> int:
        """The most instances of one request: those of a second, so that a low rate has no bursts."""
        return max(1, int(self._rate))

    def delay(self, now: float) -> float:
        """After how many seconds the next request may be sent."""
        self._fill(now)
        return max(0.0, -self._balance / self._rate)

    def spend(self, count: int, now: float) -> None:
        """Count instances that are sent now."""
        self._fill(now)
        self._balance -= count

    def _fill(self, now: float) -> None:
        # An idle time saves nothing for later, so that a request never follows a burst.
        self._balance = min(0.0, self._balance + max(0.0, now - self._updated) * self._rate)
        self._updated = max(now, self._updated)


class RequestSize:
    """The number of instances of a request, which follows how long requests take and how many are refused."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._current = max_size

    @property
    def current(self) -> int:
        """The size of the next request."""
        return self._current

    def note(self, count: int, seconds: float, refused: int) -> None:
        """Adapt the size to a request of `count` instances; at most to twice or half of it."""
        if refused > MAX_REFUSED * count:
            factor = 0.5
        else:
            # Aim below the target: the next request may be slower than the last.
            factor = min(2.0, max(0.5, 0.7 * TARGET_SECONDS / max(seconds, 0.001)))
        # A request smaller than the size says nothing of a larger one, unless it was slow.
        if factor < 1 or count >= self._current:
            self._current = min(self._max_size, max(MIN_SIZE, round(count * factor)))
