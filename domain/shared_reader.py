"""Reads states once for all that listen to them.

One task reads the states of all keys that have listeners: once per interval, and at once when the store
notifies of a change. Nothing is queued. A listener takes the newest state when it is ready, so a slow one
misses states in between, and delays no other.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from types import TracebackType
from typing import Generic, TypeVar

from uplift.domain.change_signal import ChangeSignal
from uplift.domain.concurrency import end_all, first_of
from uplift.domain.turns import Turns

Source = TypeVar("Source")
Key = TypeVar("Key", bound=Hashable)
State = TypeVar("State")

REST = 4.0
"""After a read the reader rests this many times as long as the read took, but not longer than its interval:
frequent changes do not keep it reading all the time."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Stands for a state that could not be read."""

    error: Exception
    traceback: TracebackType | None


class _Entry(Generic[State]):
    """The newest state of a key, and how many listen to it."""

    __slots__ = ("changed", "ended", "listeners", "newest")

    def __init__(self) -> None:
        self.listeners = 0
        self.newest: State | _Failure | None = None
        self.changed = ChangeSignal()
        self.ended = ChangeSignal()


class Listener(Generic[Key, State]):
    """Takes the states of one key.

    From taking a state until it asks for the next one, a listener has a turn. So when many get a new state,
    only a few of them work with it at the same time.
    """

    __slots__ = ("_entry", "_reader", "_seen", "_seen_at")

    def __init__(self, reader: "SharedReader[Key, State]", entry: _Entry[State | None]) -> None:
        self._reader = reader
        self._entry = entry
        self._seen: State | None = None
        self._seen_at = 0.0

    async def present(self) -> State | None:
        """The state now, by a read that begins after this call; None if there is none.

        Raises what the read raises.
        """
        await self._reader.read_anew()
        await self._reader.turns.begin(self)
        return self._take()

    async def next(self, pause: float | None) -> State | None:
        """The newest state once it differs from the last one, `pause` seconds after that one at the earliest.

        Returns a final state, and raises an error, at once. If `pause` is None, waits for these only.
        """
        self._reader.turns.end(self)
        while not self._is_due(pause):
            if pause is None:
                await self._entry.ended.wait()
            elif self._entry.newest is self._seen:
                await self._entry.changed.wait()
            else:
                await self._entry.ended.wait(self._seen_at + pause - monotonic())
        await self._reader.turns.begin(self)
        return self._take()

    def newest(self) -> State | None:
        """The newest state, without waiting. Raises what the last read raised."""
        return self._take()

    def _is_due(self, pause: float | None) -> bool:
        """Whether there is a state to take now."""
        newest = self._entry.newest
        if newest is self._seen:
            return False
        if isinstance(newest, _Failure) or self._reader.is_final(newest):
            return True
        return pause is not None and monotonic() >= self._seen_at + pause

    def _take(self) -> State | None:
        newest = self._entry.newest
        if isinstance(newest, _Failure):
            # Each listener raises the same error: without its first traceback it would grow by each.
            raise newest.error.with_traceback(newest.traceback)
        self._seen, self._seen_at = newest, monotonic()
        return newest


class SharedReader(Generic[Key, State]):
    """Reads states by key for the listeners of one event loop, once per `interval` seconds.

    `read` returns the states of some keys, at most `keys_per_read`; a key without a state is absent.
    `wait_for_change` returns when a state may have changed, after some seconds at the latest. After a final
    state there is no other.
    """

    def __init__(
        self,
        read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, State]]],
        wait_for_change: Callable[[float], Awaitable[None]],
        *,
        interval: float,
        keys_per_read: int = 1_000,
        is_final: Callable[[State], bool] = lambda _: False,
    ) -> None:
        self._read = read
        self._wait_for_change = wait_for_change
        self._interval = interval
        self._keys_per_read = keys_per_read
        self._is_final = is_final
        self.turns = Turns()
        self._entries: dict[Key, _Entry[State | None]] = {}
        self._task: asyncio.Task[None] | None = None
        self._is_awaited = asyncio.Event()
        self._was_read = ChangeSignal()
        self._begun = self._done = 0

    @property
    def has_listeners(self) -> bool:
        """Whether anybody listens; if not, nothing is read."""
        return bool(self._entries)

    def is_final(self, state: State | None) -> bool:
        """Whether the state stays: it is the last one, or there is none."""
        return state is None or self._is_final(state)

    @asynccontextmanager
    async def listening(self, key: Key) -> AsyncIterator[Listener[Key, State]]:
        """A listener to a key for the block. The reader ends with its last listener."""
        try:
            with self._entry(key) as entry:
                if self._task is None:
                    # It reads for all listeners, so it has nothing of the request that starts it.
                    self._task = asyncio.create_task(self._read_repeatedly(), context=Context())
                listener = Listener(self, entry)
                try:
                    yield listener
                finally:
                    self.turns.end(listener)
        finally:
            if not self._entries and self._task is not None:
                task, self._task = self._task, None
                await end_all([task])

    async def read_anew(self) -> None:
        """Return after a read that began after this call."""
        # A read that has begun may have missed what the caller has just written.
        number = self._begun + 1
        self._is_awaited.set()
        while self._done < number:
            await self._was_read.wait()

    @contextmanager
    def _entry(self, key: Key) -> Iterator[_Entry[State | None]]:
        entry = self._entries.setdefault(key, _Entry())
        entry.listeners += 1
        try:
            yield entry
        finally:
            entry.listeners -= 1
            if not entry.listeners:
                del self._entries[key]

    async def _read_repeatedly(self) -> None:
        while True:
            change = asyncio.ensure_future(self._wait_for_change(self._interval))
            try:
                # It waits from here on, so that no change during the read is lost.
                await asyncio.sleep(0)
                began = monotonic()
                await self._read_once()
                await asyncio.sleep(min(REST * (monotonic() - began), self._interval))
                await first_of(self._is_awaited.wait(), change)
            finally:
                await end_all([change])

    async def _read_once(self) -> None:
        self._is_awaited.clear()
        self._begun += 1
        remaining = iter(list(self._entries))
        while keys := list(islice(remaining, self._keys_per_read)):
            try:
                states: Mapping[Key, State] | _Failure = await self._read(keys)
            except Exception as error:  # each listener raises it
                states = _Failure(error, error.__traceback__)
            for key in keys:
                self._publish(key, states if isinstance(states, _Failure) else states.get(key))
        self._done = self._begun
        self._was_read.notify()

    def _publish(self, key: Key, state: State | _Failure | None) -> None:
        """Keep a state, and wake the listeners, if it is another one.

        States are compared once for all listeners, which look only whether there is another object.
        """
        entry = self._entries.get(key)
        if entry is None or entry.newest == state:
            return
        entry.newest = state
        entry.changed.notify()
        if isinstance(state, _Failure) or self.is_final(state):
            entry.ended.notify()


class SharedReaders(Generic[Source, Key, State]):
    """The readers that have listeners, one for each source and interval. `make` returns a new one."""

    def __init__(self, make: Callable[[Source, float], SharedReader[Key, State]]) -> None:
        self._make = make
        self._readers: dict[tuple[Source, float], SharedReader[Key, State]] = {}

    @asynccontextmanager
    async def listening(
        self, source: Source, key: Key, *, interval: float
    ) -> AsyncIterator[Listener[Key, State]]:
        """A listener for the block, by the reader of this source, or of one that is equal to it."""
        place = (source, interval)
        reader = self._readers.get(place) or self._make(source, interval)
        self._readers[place] = reader
        try:
            async with reader.listening(key) as listener:
                yield listener
        finally:
            # While it ended, others may have begun to listen to it, or to the next one.
            if self._readers.get(place) is reader and not reader.has_listeners:
                del self._readers[place]
