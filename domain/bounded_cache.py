"""Provides a cache that is bounded by the total size of its values, not by their number."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """Keeps values whose sizes sum up to at most `limit`, and drops the least recently used first.

    The caller states the size of each value, in bytes or another unit. None is not a valid value.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """Return the value of a key, or None if it is not kept."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def put(self, key: Key, value: Value, size: int) -> None:
        """Keep a value in place of the key's earlier one. A value larger than the limit is not kept."""
        _, replaced = self._entries.pop(key, (None, 0))
        self._total -= replaced
        if size > self._limit:
            return
        self._entries[key] = value, size
        self._total += size
        while self._total > self._limit:
            _, (_, dropped) = self._entries.popitem(last=False)
            self._total -= dropped
