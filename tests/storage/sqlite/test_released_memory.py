"""Tests that new connections replace the idle ones, and go on working."""

import asyncio
from contextlib import AsyncExitStack, nullcontext
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


class Renewal:
    """The renewal of a pool whose connections, so many, are idle. It waits while it opens the new one."""

    def __init__(self, file: Path, limit: int) -> None:
        self.opened: list[SqliteConnection] = []
        self.may_go_on = asyncio.Event()
        self.pool = ConnectionPool(self._open, limit)
        self._backend = SqliteBackend(file)
        self._limit = limit
        self._is_opening = asyncio.Event()

    async def begin(self) -> asyncio.Task[None]:
        async with AsyncExitStack() as stack:
            for _ in range(self._limit):
                await stack.enter_async_context(self.pool.acquire())
        renewing = asyncio.create_task(self.pool.renew_idle())
        await self._is_opening.wait()
        return renewing

    async def end(self) -> None:
        await self.pool.close()
        await self._backend.close()

    async def _open(self) -> SqliteConnection:
        connection = await self._backend._open(READER_PRAGMAS)
        self.opened.append(connection)
        if len(self.opened) > self._limit:
            self._is_opening.set()
            await self.may_go_on.wait()
        return connection


@pytest.mark.parametrize("event", ["taken", "closed"])
async def test_no_connection_is_added_when_none_is_idle_any_more(
    store: SqlStore, file: Path, event: str
) -> None:
    renewal = Renewal(file, 1)
    renewing = await renewal.begin()
    async with renewal.pool.acquire() if event == "taken" else nullcontext():
        if event == "closed":
            await renewal.pool.close()
        renewal.may_go_on.set()
        await renewing
        assert [connection.closed for connection in renewal.opened] == [event == "closed", True]
    await renewal.end()


async def test_a_pool_that_closes_during_a_renewal_leaves_nothing_open(store: SqlStore, file: Path) -> None:
    renewal, renewed = Renewal(file, 2), asyncio.Event()
    renewing = await renewal.begin()
    last, close = renewal.pool._idle[-1], renewal.pool._idle[-1].close

    async def close_late() -> None:
        renewal.may_go_on.set()
        await renewed.wait()
        await close()

    last.close = close_late  # type: ignore[method-assign]
    closing = asyncio.create_task(renewal.pool.close())
    await renewing
    renewed.set()
    await closing
    assert [connection.closed for connection in renewal.opened] == [True] * 3
    await renewal.end()


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
