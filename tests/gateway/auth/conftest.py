"""Provides an empty store of API keys on both databases."""

from collections.abc import AsyncIterator

import pytest

from tests.support.stores import SERVED, Stores
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore


@pytest.fixture(params=SERVED)
async def keys(request: pytest.FixtureRequest, stores: Stores) -> AsyncIterator[SqlKeys]:
    """An empty store of keys."""
    async with stores.empty(request.param) as store:
        assert isinstance(store, SqlStore)
        yield SqlKeys(store.database)
