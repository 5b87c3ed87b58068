"""Each test of the contract runs on every store."""

from collections.abc import AsyncIterator

import pytest

from tests.support.stores import STORES, Stores
from uplift.domain.ports import Store
from uplift.testing.stores import require_right_counts


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, stores: Stores) -> AsyncIterator[Store]:
    """An empty store. Whatever a test does, the kept counts of cohorts are right at its end."""
    async with stores.empty(request.param) as opened:
        yield opened
        await require_right_counts(opened)
