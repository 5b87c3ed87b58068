"""Tests that new connections replace the idle ones, and go on working."""

import asyncio
from contextlib import nullcontext
from pathlib import Path

import pytest

from uplift.domain.errors import StoreUnavailable
from uplift.storage.backend import PoolUse
from uplift.storage.sql.connection import Connection
from uplift.storage.sqlite.backend import READER_PRAGMAS, SqliteBackend
from uplift.storage.sqlite.driver import SqliteConnection
from uplift.storage.sqlite.pool import ConnectionPool
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


async def test_the_end_of_idle_connections_frees_what_their_statements_have_bound(
    store: SqlStore, file: Path
) -> None:
    await a_process(store, ORDERS, holding=instances(range(1, 20)))
    await instances_of(store, ORDERS)
    before = _wal_of(file)
    reader, writer = await _idle_reader(store), await _idle_writer(store)
    await store.database.release_memory()
    assert reader.closed
    assert writer.closed
    # Never all of them at once: SQLite deletes the WAL when the last connection is closed.
    assert _wal_of(file) == before
    assert not (await _idle_reader(store)).closed


async def test_idle_connections_stay_while_no_other_can_be_opened(store: SqlStore, file: Path) -> None:
    await a_process(store, ORDERS, holding=instances(range(1, 20)))
    reader = await _idle_reader(store)
    _move(file, file.with_name("moved.db"))
    with pytest.raises(StoreUnavailable):
        await store.database.release_memory()
    _move(file.with_name("moved.db"), file)
    assert not reader.closed
    assert await instances_of(store, ORDERS) != []


@pytest.mark.parametrize("event", ["taken", "closed"])
async def test_no_connection_is_added_when_none_is_idle_any_more(
    store: SqlStore, file: Path, event: str
) -> None:
    backend = SqliteBackend(file)
    opened: list[SqliteConnection] = []
    started, go_on = asyncio.Event(), asyncio.Event()

    async def open_connection() -> SqliteConnection:
        connection = await backend._open(READER_PRAGMAS)
        opened.append(connection)
        if len(opened) == 2:
            started.set()
            await go_on.wait()
        return connection

    pool = ConnectionPool(open_connection, 1)
    async with pool.acquire():
        pass
    renewal = asyncio.create_task(pool.renew_idle())
    await started.wait()
    async with pool.acquire() if event == "taken" else nullcontext():
        if event == "closed":
            await pool.close()
        go_on.set()
        await renewal
        assert [connection.closed for connection in opened] == [event == "closed", True]
    await pool.close()
    await backend.close()


async def test_a_pool_that_closes_during_a_renewal_leaves_nothing_open(store: SqlStore, file: Path) -> None:
    backend = SqliteBackend(file)
    opened: list[SqliteConnection] = []
    is_renewing, may_go_on, renewed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def open_connection() -> SqliteConnection:
        connection = await backend._open(READER_PRAGMAS)
        opened.append(connection)
        if len(opened) == 3:
            is_renewing.set()
            await may_go_on.wait()
        return connection

    pool = ConnectionPool(open_connection, 2)
    async with pool.acquire(), pool.acquire():
        pass
    renewal = asyncio.create_task(pool.renew_idle())
    await is_renewing.wait()
    last, close = pool._idle[-1], pool._idle[-1].close

    async def close_late() -> None:
        may_go_on.set()
        await renewed.wait()
        await close()

    last.close = close_late  # type: ignore[method-assign]
    closing = asyncio.create_task(pool.close())
    await renewal
    renewed.set()
    await closing
    assert [connection.closed for connection in opened] == [True] * 3
    await backend.close()


async def test_a_background_read_keeps_no_writer_of_a_request_waiting(store: SqlStore) -> None:
    async with store.database.reading(in_background=True):
        chunk = asyncio.create_task(_write(store, in_background=True))
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await _write(store, in_background=False)
        assert store.database.pools()["writing"] == PoolUse(0, 1)
        assert not chunk.done()
    await chunk


async def _write(store: SqlStore, *, in_background: bool) -> None:
    async with store.database.writing(in_background=in_background):
        pass


async def _idle_reader(store: SqlStore) -> Connection:
    async with store.database.reading() as connection:
        return connection


async def _idle_writer(store: SqlStore) -> Connection:
    async with store.database.writing() as connection:
        return connection


def _wal_of(file: Path) -> tuple[int, int]:
    """The inode and the size of the WAL."""
    wal = file.with_name(f"{file.name}-wal").stat()
    return wal.st_ino, wal.st_size


def _move(file: Path, place: Path) -> None:
    file.rename(place)
