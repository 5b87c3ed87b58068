"""An empty store whose tables are divided into eight buckets."""

from collections.abc import AsyncIterator

import pytest

from tests.support.stores import Stores
from uplift.storage.store import SqlStore
from uplift.testing.stores import require_right_counts


@pytest.fixture
async def store(stores: Stores) -> AsyncIterator[SqlStore]:
    """Each statement that it sends is held to the rule of buckets (see tests/support/bucket_rule.py)."""
    async with stores.empty("buckets") as opened:
        assert isinstance(opened, SqlStore)
        yield opened
        await require_right_counts(opened)
