"""Tests that idle connections free their page caches, and go on working."""

import gc
import weakref
from typing import Any

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


async def test_idle_connections_release_references_to_closed_cursors(store: SqlStore) -> None:
    await a_process(store, ORDERS, holding=instances(range(1, 20)))
    for _ in range(20):
        await instances_of(store, ORDERS)
    async with store.database.reading() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
    earlier = _references(raw)
    assert len(earlier) > 20
    await store.database.release_memory()
    # Those that it makes for this lie side by side, in memory that is in use anyway.
    assert {id(reference) for reference in _references(raw)}.isdisjoint(map(id, earlier))


def _references(connection: Any) -> list[Any]:
    """The weak references to cursors that the driver's connection keeps in a list."""
    lists = [held for held in gc.get_referents(connection._conn) if type(held) is list]
    return [item for held in lists for item in held if isinstance(item, weakref.ref)]
