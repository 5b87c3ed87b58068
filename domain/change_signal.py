"""How do tasks of one program learn that an upgrade may have changed, without asking all the time?"""

import asyncio
from contextlib import suppress


class ChangeSignal:
    """Wakes everyone who waits. A ring that nobody waits for is lost: look first, then wait."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Wake all who wait now."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, seconds: float) -> None:
        """Return at the next ring, at the latest after so many seconds."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            with suppress(TimeoutError):
                # wait_for would forget, before Python 3.12, a cancellation just when the bell rings.
                async with asyncio.timeout(seconds):
                    await waiter
        finally:
            self._waiting.discard(waiter)
