"""Each test of the contract runs on every store."""

from collections.abc import AsyncIterator

import pytest

from tests.support.stores import STORES, Stores
from uplift.domain.ports import Store


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, stores: Stores) -> AsyncIterator[Store]:
    """An empty store."""
    async with stores.empty(request.param) as opened:
        yield opened
