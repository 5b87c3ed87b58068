"""Bounds the memory that the requests of all clients take together while they are read and answered.

The limit on one body says nothing about their sum: each of a thousand connections may send one. Requests are
counted for each caller as well, so that one caller leaves room to others.
"""

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Self

from uplift.web.errors import no_room
from uplift.web.json_limits import MAX_VALUES

MIN_BYTES = 64 * 1024 * 1024
"""Bytes of the bodies of all requests, unless some bodies of the largest size are more."""
LARGEST_BODIES = 8
"""So many bodies of the largest size fit in any case."""
SMALL_BYTES = 16 * 1024
"""A body up to this size counts, but is never refused: small requests are answered beside large ones."""
CALLER_VALUES = 250_000
"""A caller whose requests have so many JSON values must wait with the next large one. So the largest requests
of one caller are processed one after the other, which takes no longer, but less memory."""
LARGE_BYTES = 1024 * 1024
"""A body of this size is large: it may have a hundred thousand values."""
SMALL_VALUES = 1_000
"""A request with at most so many JSON values counts, but never waits."""
WAIT_SECONDS = 30.0
"""Seconds that a request may wait until others with many JSON values are answered."""
RETRY_AFTER = 2
"""Seconds after which a refused client should try again."""

_refused = partial(no_room, retry_after=RETRY_AFTER)


class RequestMemory:
    """The requests that a server has begun to read and not yet answered: their bytes, and their JSON values.

    Bytes are refused above the limit, of which one caller may have half. Many values wait: a decoder makes an
    object of each, which takes some ten times its bytes, so few such requests are decoded at once.
    """

    large_begun = 0
    """How many large requests and replies have begun."""
    large_now = 0
    """How many of them are not done yet."""

    def __init__(self, *, max_body_bytes: int) -> None:
        self._bytes = _Sum(max(MIN_BYTES, LARGEST_BODIES * max_body_bytes))
        self._values = _Sum(2 * MAX_VALUES)
        self._waiting: set[asyncio.Event] = set()

    def held(self, owner: Hashable) -> "HeldRequest":
        """Count a request of this caller until the `with` block ends, or until it is released."""
        return HeldRequest(self, owner)

    @contextmanager
    def large_reply(self) -> Iterator[None]:
        """Count a large reply while it is built, in the `with` block."""
        self.large_begun += 1
        self.large_now += 1
        try:
            yield
        finally:
            self.large_now -= 1

    def add_bytes(self, owner: Hashable, count: int, held: int) -> None:
        """Count more bytes of a request that holds this many already. Raises RequestError (429, 503)."""
        if held + count > SMALL_BYTES:
            self.require_room(owner, count)
        self._bytes.add(owner, count)

    def require_room(self, owner: Hashable, count: int) -> None:
        """Raises RequestError if the caller (429) or the server (503) has no room for so many bytes."""
        bounded = self._bytes
        if bounded.of(owner) + count > bounded.limit // 2:
            raise _refused(
                429, f"unanswered requests of one API key with at most {bounded.limit // 2:,} bytes"
            )
        if bounded.total + count > bounded.limit:
            raise _refused(503, f"unanswered requests with at most {bounded.limit:,} bytes")

    async def add_values(self, owner: Hashable, count: int) -> None:
        """Count JSON values, once there is room for them. Raises RequestError (503) after WAIT_SECONDS."""
        bounded = self._values
        if count <= SMALL_VALUES:
            bounded.add(owner, count)
            return
        came = asyncio.Event()
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while bounded.of(owner) >= CALLER_VALUES or bounded.total + count > bounded.limit:
                    came.clear()
                    self._waiting.add(came)
                    await came.wait()
        except TimeoutError:
            raise _refused(503, f"unanswered requests with at most {bounded.limit:,} JSON values") from None
        finally:
            self._waiting.discard(came)
        bounded.add(owner, count)

    def release(self, owner: Hashable, count: int, values: int) -> None:
        """Count no longer."""
        if count:
            self._bytes.add(owner, -count)
        if values:
            self._values.add(owner, -values)
        for waiting in self._waiting:
            waiting.set()


class HeldRequest:
    """What one request holds, until its `with` block ends."""

    # A class, because every request makes one: @contextmanager takes several times as long.
    __slots__ = ("_bytes", "_is_large", "_memory", "_owner", "_values")

    def __init__(self, memory: RequestMemory, owner: Hashable) -> None:
        self._memory = memory
        self._owner = owner
        self._bytes = self._values = 0
        self._is_large = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def announce(self, count: int) -> None:
        """Raises RequestError if there is no room for a body of this length."""
        if count > SMALL_BYTES:
            self._memory.require_room(self._owner, count)

    def add_bytes(self, count: int) -> None:
        """Count a received part. Raises RequestError if there is no room for it."""
        self._memory.add_bytes(self._owner, count, self._bytes)
        self._bytes += count
        if self._bytes >= LARGE_BYTES and not self._is_large:
            self._is_large = True
            self._memory.large_begun += 1
            self._memory.large_now += 1

    async def add_values(self, count: int) -> None:
        """Count the values of the body, before they are decoded. Waits until there is room for them."""
        await self._memory.add_values(self._owner, count)
        self._values += count

    def release(self) -> None:
        """Count the request no longer: it is answered, or has failed."""
        self._memory.release(self._owner, self._bytes, self._values)
        self._memory.large_now -= self._is_large
        self._bytes = self._values = 0
        self._is_large = False


class _Sum:
    """An amount that callers hold parts of."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total = 0
        self._held: dict[Hashable, int] = {}

    def of(self, owner: Hashable) -> int:
        return self._held.get(owner, 0)

    def add(self, owner: Hashable, amount: int) -> None:
        self.total += amount
        held = self._held.get(owner, 0) + amount
        if held:
            self._held[owner] = held
        else:
            self._held.pop(owner, None)
