"""Lets only a few of many tasks work at the same time, so that others get their share of the machine."""

import asyncio
from collections import deque
from collections.abc import Hashable
from time import monotonic

CONCURRENCY = 10
"""How many holders have a turn at the same time."""
LONGEST_TURN = 0.1
"""Seconds after which a turn counts no longer: its holder waits for something else, such as a client."""


class Turns:
    """Gives turns to the tasks of one event loop, in the order in which they ask for them."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Hashable, asyncio.Future[None]]] = deque()
        self._begun_at: dict[Hashable, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def begin(self, holder: Hashable) -> None:
        """Return when it is the turn of the holder, which must end it."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((holder, turn))
        self._give()
        try:
            await turn
        except asyncio.CancelledError:
            self.end(holder)
            raise

    def end(self, holder: Hashable) -> None:
        """End the turn of the holder, if it has one."""
        if self._begun_at.pop(holder, None) is not None:
            self._give()

    def _give(self) -> None:
        while self._waiting and len(self._begun_at) < CONCURRENCY:
            holder, turn = self._waiting.popleft()
            if not turn.done():
                self._begun_at[holder] = monotonic()
                turn.set_result(None)
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LONGEST_TURN, self._end_long_turns)

    def _end_long_turns(self) -> None:
        self._timer = None
        latest = monotonic() - LONGEST_TURN
        for holder in [holder for holder, begun_at in self._begun_at.items() if begun_at <= latest]:
            del self._begun_at[holder]
        self._give()
