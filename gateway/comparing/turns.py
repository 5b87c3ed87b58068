"""Lets callers take turns at what serves one at a time, so that nobody waits for all jobs of another."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager


class TooManyWaitError(Exception):
    """The caller, or all callers together, have as much waiting as they may."""


class Turns:
    """Gives turns to callers in rotation; those of one caller come in the order in which it asked.

    Of the turns that wait, and of the bytes that they hold, one caller may have half.
    """

    def __init__(self, *, max_waiting: int, max_bytes: int) -> None:
        self._max_waiting = max_waiting
        self._max_bytes = max_bytes
        self._taken = False
        self._queues: dict[Hashable, deque[tuple[asyncio.Future[None], int]]] = {}
        """Callers in the order of their next turns, and the size of each turn in bytes."""

    @asynccontextmanager
    async def turn(self, owner: Hashable, size: int) -> AsyncIterator[None]:
        """Wait for a turn, and have it while the block runs. Raises TooManyWaitError."""
        if self._taken:
            await self._wait(owner, size)
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, owner: Hashable, size: int) -> None:
        self._require_room(owner, size)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = turn, size
        self._queues.setdefault(owner, deque()).append(waiting)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()  # it got its turn at the same moment
            else:
                self._remove(owner, waiting)
            raise

    def _require_room(self, owner: Hashable, size: int) -> None:
        own = self._queues.get(owner, ())
        everything = [waiting for queue in self._queues.values() for waiting in queue]
        if 2 * (len(own) + 1) > self._max_waiting or len(everything) + 1 > self._max_waiting:
            raise TooManyWaitError
        own_bytes, all_bytes = (sum(size for _, size in waiting) for waiting in (own, everything))
        if (own and 2 * (own_bytes + size) > self._max_bytes) or all_bytes + size > self._max_bytes:
            raise TooManyWaitError

    def _pass_on(self) -> None:
        """Give the turn to the caller who has waited longest for one, and let the caller wait again."""
        if not self._queues:
            self._taken = False
            return
        owner = next(iter(self._queues))
        queue = self._queues.pop(owner)
        turn, _ = queue.popleft()
        if queue:
            self._queues[owner] = queue
        turn.set_result(None)

    def _remove(self, owner: Hashable, waiting: tuple[asyncio.Future[None], int]) -> None:
        queue = self._queues[owner]
        queue.remove(waiting)
        if not queue:
            del self._queues[owner]
