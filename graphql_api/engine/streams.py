"""Bounds the open streams (WebSockets and event streams) of a server and of each caller, and ends them.

A WebSocket waits until its `connection_init` has named a caller. Waiting sockets have a small bound of their
own, so that clients without a key cannot take the streams of others.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

from uplift.graphql_api.engine.limits import Limits
from uplift.web.errors import HttpCode, RequestError

OwnerOf = Callable[[Mapping[str, str]], Awaitable[Hashable]]
"""Identifies the caller of a request by its headers; raises an UpliftError to refuse it."""

RETRY_AFTER = 5
"""Seconds after which a refused client should try again."""


class StreamRefusal(StrEnum):
    """Why a stream was refused."""

    CALLER_FULL = "caller_full"
    """The caller has its largest number of streams."""
    SERVER_FULL = "server_full"
    """The server has no stream left for this caller."""
    WAITING_FULL = "waiting_full"
    """Too many WebSockets wait for their connection_init, in all or from one address."""


def ignore_refusal(_: StreamRefusal) -> None:
    """The default for `on_refusal`."""


async def owner_by_header(headers: Mapping[str, str]) -> Hashable:
    """Tells callers apart by their Authorization header."""
    return headers.get("authorization")


class Streams:
    """The open streams of one server, by caller.

    `on_refusal` is called for each refused stream.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        owner_of: OwnerOf = owner_by_header,
        on_refusal: Callable[[StreamRefusal], None] = ignore_refusal,
    ) -> None:
        self.owner_of = owner_of
        self._limits = limits
        self._on_refusal = on_refusal
        self._open: dict[Hashable, list[asyncio.Event]] = {}
        self._waiting: Counter[str] = Counter()

    @property
    def owners(self) -> Collection[Hashable]:
        """The callers that have open streams."""
        return tuple(self._open)

    def end(self, owner: Hashable) -> None:
        """End all streams of a caller, whose key is no longer valid."""
        for ended in self._open.get(owner, ()):
            ended.set()

    @contextmanager
    def opened(self, owner: Hashable, ended: asyncio.Event) -> Iterator[None]:
        """Count a stream of the caller while the block runs. `ended` is set when the stream must end.

        Raises RequestError: 429 if the caller has its largest number of streams, 503 if the server is full.
        The last tenth of the server's streams is kept for callers that have none.
        """
        self._require_stream_for(owner)
        self._open.setdefault(owner, []).append(ended)
        try:
            yield
        finally:
            self._open[owner].remove(ended)
            if not self._open[owner]:
                del self._open[owner]

    @contextmanager
    def waiting(self, address: str) -> Iterator[None]:
        """Count a WebSocket without a known caller while the block runs. Raises RequestError (503).

        One address may have half of these WebSockets.
        """
        limit = self._limits.max_waiting_sockets
        if self._waiting.total() >= limit or self._waiting[address] >= max(1, limit // 2):
            message = "Expected fewer WebSockets that wait for connection_init; try later."
            raise self._refused(StreamRefusal.WAITING_FULL, 503, message)
        self._waiting[address] += 1
        try:
            yield
        finally:
            self._waiting[address] -= 1
            if not self._waiting[address]:
                del self._waiting[address]

    def _require_stream_for(self, owner: Hashable) -> None:
        own, limit = len(self._open.get(owner, ())), self._limits.max_streams_per_key
        if own >= limit:
            message = f"Expected at most {limit:,} open streams of one API key; close one, or try later."
            raise self._refused(StreamRefusal.CALLER_FULL, 429, message)
        total, capacity = sum(map(len, self._open.values())), self._limits.max_streams
        if total >= capacity or (own and total >= capacity - max(1, capacity // 10)):
            message = "Expected fewer open WebSockets and event streams; try later."
            raise self._refused(StreamRefusal.SERVER_FULL, 503, message)

    def _refused(self, why: StreamRefusal, status: int, message: str) -> RequestError:
        self._on_refusal(why)
        headers = {"retry-after": str(RETRY_AFTER)}
        return RequestError(status, HttpCode.LIMIT_EXCEEDED, message, headers=headers)
