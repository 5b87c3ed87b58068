"""A store in memory, for trying the library out and for tests that need no database."""

from uplift.storage.memory.store import InMemoryStore
from uplift.storage.memory.transaction import InMemoryTransaction

__all__ = ["InMemoryStore", "InMemoryTransaction"]
