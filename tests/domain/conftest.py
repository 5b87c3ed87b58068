"""Use cases run on the store in memory."""

import pytest

from uplift.storage.memory import InMemoryStore


@pytest.fixture
def store() -> InMemoryStore:
    """An empty store."""
    return InMemoryStore()
