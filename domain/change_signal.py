"""Notifies the tasks of one event loop of changes."""

import asyncio


class ChangeSignal:
    """Wakes all waiting tasks. Nothing is stored for later: read first, then wait."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wake all tasks that wait now."""
        for waiter in self._waiters:
            _wake(waiter)

    async def wait(self, seconds: float | None = None) -> None:
        """Return at the next notification, or after this many seconds."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters.add(waiter)
        # Not asyncio.timeout, which costs several times as much: a thousand waits may end at the same time.
        timer = None if seconds is None else loop.call_later(seconds, _wake, waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if timer is not None:
                timer.cancel()


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
