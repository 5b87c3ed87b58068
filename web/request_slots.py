"""Bounds how many requests a server processes concurrently, in all and of each caller."""

from collections.abc import Hashable
from functools import partial

from uplift.web.errors import no_room

MAX_REQUESTS = 500
MAX_REQUESTS_PER_CALLER = 100
RETRY_AFTER = 1
"""Seconds after which a refused client should try again."""

_refused = partial(no_room, retry_after=RETRY_AFTER)


class RequestSlots:
    """The requests that a server processes now, by caller.

    The last tenth of the slots is kept for callers that have none.
    """

    def __init__(self, limit: int = MAX_REQUESTS, limit_per_caller: int = MAX_REQUESTS_PER_CALLER) -> None:
        self._limit = limit
        self._limit_per_caller = limit_per_caller
        self._reserved = max(1, limit // 10)
        self._taken: dict[Hashable, int] = {}
        self._total = 0

    def taken(self, owner: Hashable) -> "TakenSlot":
        """Count a request of the caller while the `with` block runs.

        Beginning the block raises RequestError: 429 if the caller has its largest number of requests, 503 if
        the server is full.
        """
        return TakenSlot(self, owner)

    def take(self, owner: Hashable) -> None:
        """Count a request. Raises RequestError."""
        own = self._taken.get(owner, 0)
        if own >= self._limit_per_caller:
            raise _refused(429, f"at most {self._limit_per_caller:,} concurrent requests of one API key")
        if self._total >= self._limit or (own and self._total >= self._limit - self._reserved):
            raise _refused(503, f"at most {self._limit:,} concurrent requests")
        self._taken[owner] = own + 1
        self._total += 1

    def give_back(self, owner: Hashable) -> None:
        """Count a request no longer."""
        self._total -= 1
        if self._taken[owner] == 1:
            del self._taken[owner]
        else:
            self._taken[owner] -= 1


class TakenSlot:
    """A slot, from the beginning to the end of a `with` block."""

    # A class, because every request makes one: @contextmanager takes several times as long.
    __slots__ = ("_owner", "_slots")

    def __init__(self, slots: RequestSlots, owner: Hashable) -> None:
        self._slots = slots
        self._owner = owner

    def __enter__(self) -> None:
        self._slots.take(self._owner)

    def __exit__(self, *_: object) -> None:
        self._slots.give_back(self._owner)
