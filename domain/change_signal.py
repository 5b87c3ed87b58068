"""Notifies the tasks of one event loop of changes."""

import asyncio
from contextlib import suppress


class ChangeSignal:
    """Wakes all waiting tasks. Nothing is stored for later: read first, then wait."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wake all tasks that wait now."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, seconds: float | None = None) -> None:
        """Return at the next notification, or after this many seconds."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            with suppress(TimeoutError):
                # Before Python 3.12, wait_for may swallow a cancellation that arrives with the notification.
                async with asyncio.timeout(seconds):
                    await waiter
        finally:
            self._waiters.discard(waiter)
