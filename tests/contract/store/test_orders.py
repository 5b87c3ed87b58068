"""Runs the contract of orders."""

import pytest

from uplift.domain.ports import Store
from uplift.storage.memory import InMemoryStore
from uplift.testing.store.orders import *


@pytest.fixture
def store() -> Store:
    """Only the store in memory keeps orders until there are tables for them."""
    return InMemoryStore()
