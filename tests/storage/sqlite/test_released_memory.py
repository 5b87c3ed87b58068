"""Tests that idle connections free their page caches, and go on working."""

import pytest

from uplift.storage.store import SqlStore
from uplift.testing.builders import ORDERS, a_process, instances
from uplift.testing.stores import instances_of

pytestmark = pytest.mark.anyio


async def test_idle_connections_release_memory_and_go_on_working(store: SqlStore) -> None:
    await a_process(store, ORDERS, holding=instances(range(1, 20)))
    before = await instances_of(store, ORDERS)
    pools = store.database.pools()
    await store.database.release_memory()
    assert store.database.pools() == pools
    assert await instances_of(store, ORDERS) == before
    async with store.database.reading() as held:
        await store.database.release_memory()  # a connection in use keeps its cache, and is not waited for
        assert not held.closed
