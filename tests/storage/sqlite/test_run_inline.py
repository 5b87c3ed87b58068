"""Statements marked RUN_INLINE run on the thread of the event loop."""

from asyncio import CancelledError, create_task, sleep
from contextlib import suppress
from threading import Event, get_ident

import pytest

from uplift.domain import Status
from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.instance import InstanceId
from uplift.storage.sqlite.driver import SqliteConnection
from uplift.storage.store import SqlStore
from uplift.testing.builders import ORDERS, a_process, a_report, an_id, an_instance, instances

pytestmark = pytest.mark.anyio


async def record_threads(store: SqlStore) -> list[int]:
    """Records the thread of each statement on the connection that the next read uses."""
    threads: list[int] = []
    async with store.database.reading() as connection:
        assert isinstance(connection, SqliteConnection)
        await connection.run_in_thread(
            lambda raw: raw.set_trace_callback(lambda _: threads.append(get_ident()))
        )
    return threads


async def read(store: SqlStore, ids: list[InstanceId], *, times: int = 1) -> None:
    for _ in range(times):
        assert list(await store.instances.find_many(ids)) == ids


async def test_a_few_instances_are_read_inline_and_many_by_another_thread(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(30)))
    threads = await record_threads(store)
    await read(store, [an_id(7)], times=3)
    assert threads[-1] == get_ident()
    await read(store, [an_id(n) for n in range(30)], times=3)
    assert threads[-1] != get_ident()


async def test_a_read_does_not_run_inline_beside_an_abandoned_call(store: SqlStore) -> None:
    await a_process(store, holding=[an_instance(7)])
    threads = await record_threads(store)
    await read(store, [an_id(7)], times=2)
    finish = Event()
    async with store.database.reading() as connection:
        assert isinstance(connection, SqliteConnection)
        abandoned = create_task(connection.run_in_thread(lambda _: finish.wait(30)))
        await sleep(0)
        abandoned.cancel()
        with suppress(CancelledError):
            await abandoned
    reading = create_task(read(store, [an_id(7)]))
    await sleep(0)
    assert not reading.done()
    finish.set()
    await reading
    assert threads[-1] != get_ident()
    await read(store, [an_id(7)])
    assert threads[-1] == get_ident()


async def test_an_error_inline_is_the_same_as_on_another_thread(store: SqlStore) -> None:
    await a_process(store, holding=[an_instance(7)])
    await read(store, [an_id(7)], times=2)
    async with store.database.reading() as connection:
        assert isinstance(connection, SqliteConnection)
        await connection.run_in_thread(lambda raw: raw.set_progress_handler(lambda: 1, 1))
    with pytest.raises(StoreUnavailable, match="the database says 'interrupted'"):
        await store.instances.find_many([an_id(7)])


async def test_it_sees_what_was_committed_just_before(store: SqlStore) -> None:
    await a_process(store, holding=[an_instance(7)])
    for status in (Status.RUNNING, Status.PENDING, Status.RUNNING, Status.COMPLETED):
        async with store.transaction() as transaction:
            await transaction.instances.report(ORDERS, [a_report(7, status=status)])
        [found] = (await store.instances.find_many([an_id(7)])).values()
        assert found.status is status
