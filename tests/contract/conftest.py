"""Each test of the contract runs on every store."""

from collections.abc import AsyncIterator

import pytest

from tests.support.in_buckets import skip_if_broken
from tests.support.long_mode import IS_LONG
from tests.support.stores import DIVIDED, STORES, Stores
from uplift.domain.ports import Store
from uplift.testing.stores import require_right_counts


@pytest.fixture(params=[*STORES, *(DIVIDED if IS_LONG else ())])
async def store(request: pytest.FixtureRequest, stores: Stores) -> AsyncIterator[Store]:
    """An empty store. Whatever a test does, the kept counts of cohorts are right at its end."""
    skip_if_broken(request.node.nodeid, request.param)
    async with stores.empty(request.param) as opened:
        yield opened
        await require_right_counts(opened)
