"""Bounds what all responses and messages take together that wait for clients to read earlier ones."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from uplift.gateway.observability.refusals import ConnectionRefusal
from uplift.gateway.server.bounds import MAX_UNREAD_BYTES


class Reader(Protocol):
    """A connection whose client may be slow to read."""

    def waited(self, now: float) -> float:
        """Seconds that the present response has waited for the client; 0 while the client reads."""

    def cut_off(self, reason: ConnectionRefusal, message: str) -> None:
        """Close, and drop what is not sent."""


class Unread:
    """The bytes that wait for each client.

    When they are too many together, it cuts off clients that do not read: those of the network that has most,
    and of these first the one that lets the server wait longest.
    """

    def __init__(self, network_of: Callable[[Reader], str], limit: int = MAX_UNREAD_BYTES) -> None:
        self._network_of = network_of
        self._limit = limit
        self._held: Counter[Reader] = Counter()

    @contextmanager
    def held(self, reader: Reader, count: int) -> Iterator[None]:
        """Count bytes while the block runs."""
        self._held[reader] += count
        self.cut_off_above_limit()
        try:
            yield
        finally:
            if reader in self._held:  # else it was cut off
                self._held[reader] -= count
                if not self._held[reader]:
                    del self._held[reader]

    def cut_off_above_limit(self) -> None:
        """Cut clients off while too many bytes wait. The watch calls it too: a client may stop reading."""
        now = asyncio.get_running_loop().time()
        while self._held.total() > self._limit:
            waiting = {reader: waited for reader in self._held if (waited := reader.waited(now)) > 0}
            if not waiting:
                return  # all are reading
            networks: Counter[str] = Counter()
            for reader in waiting:
                networks[self._network_of(reader)] += self._held[reader]
            (network, _), *_ = networks.most_common(1)
            slowest = max(
                (reader for reader in waiting if self._network_of(reader) == network),
                key=lambda reader: waiting[reader],
            )
            del self._held[slowest]
            slowest.cut_off(
                ConnectionRefusal.UNREAD_BYTES,
                f"Expected at most {self._limit:,} bytes that wait for clients to read, but there are more.",
            )
