"""A store in this program's memory: for trying the library out, and for tests that need no database."""

from domain.memory.store import InMemoryStore
from domain.memory.transaction import InMemoryTransaction

__all__ = ["InMemoryStore", "InMemoryTransaction"]
