"""Use cases are tried on the store that needs no file."""

import pytest

from domain import InMemoryStore


@pytest.fixture
def store() -> InMemoryStore:
    """An empty store."""
    return InMemoryStore()
