"""Notifies the tasks of one event loop of changes."""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress

WOKEN_AT_ONCE = 10
"""How many tasks one turn of the event loop wakes. Other tasks, such as new requests, come between."""


class Waker:
    """Wakes waiting tasks, a few in each turn of the event loop. Several signals may share it."""

    def __init__(self) -> None:
        self._due: deque[asyncio.Future[None]] = deque()

    def wake(self, waiters: Iterable[asyncio.Future[None]]) -> None:
        """Wake these tasks, after those that are due before them."""
        is_waking = bool(self._due)
        self._due.extend(waiters)
        if self._due and not is_waking:
            asyncio.get_running_loop().call_soon(self._wake_some)

    async def turn(self) -> None:
        """Return when the calling task is due."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.wake([waiter])
        await waiter

    def _wake_some(self) -> None:
        for _ in range(min(WOKEN_AT_ONCE, len(self._due))):
            waiter = self._due.popleft()
            if not waiter.done():
                waiter.set_result(None)
        if self._due:
            asyncio.get_running_loop().call_soon(self._wake_some)


class ChangeSignal:
    """Wakes all waiting tasks. Nothing is stored for later: read first, then wait."""

    def __init__(self, waker: Waker | None = None) -> None:
        self._waker = waker or Waker()
        self._waiters: dict[asyncio.Future[None], None] = {}

    def notify(self) -> None:
        """Wake all tasks that wait now."""
        waiters, self._waiters = self._waiters, {}
        self._waker.wake(waiters)

    async def wait(self, seconds: float | None = None) -> None:
        """Return at the next notification, or after this many seconds."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = None
        try:
            with suppress(TimeoutError):
                # Before Python 3.12, wait_for may swallow a cancellation that arrives with the notification.
                async with asyncio.timeout(seconds):
                    await waiter
        finally:
            self._waiters.pop(waiter, None)
