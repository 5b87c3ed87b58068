"""Use cases are tried on the store that needs no file."""

import pytest

from uplift.storage.memory import InMemoryStore


@pytest.fixture
def store() -> InMemoryStore:
    """An empty store."""
    return InMemoryStore()
