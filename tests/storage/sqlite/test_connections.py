"""Connections to an SQLite file have their settings, and do not block or break each other."""

import sqlite3
import time
from asyncio import CancelledError, Event, create_task, gather, sleep, timeout
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from anyio import create_task_group
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from uplift.domain import Status, all_active, create_process, upgrade_instances
from uplift.domain.errors import ProcessExists, StoreUnavailable
from uplift.domain.model.request import UpgradeRequest
from uplift.storage.sqlite import backend as sqlite
from uplift.storage.sqlite.backend import MAX_READERS
from uplift.storage.store import SqlStore
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    ORDERS,
    a_process,
    a_report,
    a_worker,
    an_id,
    an_instance,
    instances,
)
from uplift.testing.stores import a_transaction_that_fails, everything_in, instances_of

pytestmark = pytest.mark.anyio


async def ask(connection: AsyncConnection, pragma: str) -> Any:
    return (await connection.exec_driver_sql(f"PRAGMA {pragma}")).scalar_one()


async def assert_is_set_up(connection: AsyncConnection) -> None:
    assert await ask(connection, "journal_mode") == "wal"
    assert await ask(connection, "foreign_keys") == 1
    assert await ask(connection, "synchronous") == 1
    assert await ask(connection, "temp_store") == 2


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another connection holds the write lock within the block."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def test_every_connection_is_set_up(store: SqlStore) -> None:
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(store.database.reading()) for _ in range(MAX_READERS)]
        writer = await stack.enter_async_context(store.database.writing())
        for connection in (*readers, writer):
            await assert_is_set_up(connection)
    async with store.database.writing(in_background=True) as connection:
        await assert_is_set_up(connection)


async def test_a_row_that_points_nowhere_is_refused(store: SqlStore) -> None:
    async with store.database.writing() as connection:
        with pytest.raises(IntegrityError, match="FOREIGN KEY constraint failed"):
            await connection.exec_driver_sql("INSERT INTO position VALUES (1, 404, x'00', '[]')")


async def test_to_open_a_file_again_keeps_what_is_in_it(file: Path) -> None:
    store = await SqlStore.open(file)
    await a_process(store, holding=instances(range(5)))
    await upgrade_instances(store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN)
    before = await everything_in(store)
    await store.close()
    again = await SqlStore.open(file)
    assert await everything_in(again) == before
    await again.close()


async def test_many_may_open_a_new_file_at_once(file: Path) -> None:
    stores = await gather(*(SqlStore.open(file) for _ in range(6)))
    await a_process(stores[0], holding=[an_instance(1)])
    for store in stores:
        assert await instances_of(store, ORDERS) == [an_instance(1)]
        await store.close()


async def test_a_refused_change_does_not_block_the_next(store: SqlStore) -> None:
    await a_process(store)
    for _ in range(3):
        with pytest.raises(ProcessExists):
            await create_process(store, namespace="crm", code="orders", title=None, caller=ADMIN)
    await a_process(store, INVOICES)
    assert await store.processes.find(INVOICES) is not None


async def test_a_statement_that_fails_rolls_the_whole_transaction_back(store: SqlStore) -> None:
    await a_process(store, holding=[an_instance(1)])
    before = await everything_in(store)

    async def fail_halfway() -> None:
        async with store.database.writing() as connection:
            await connection.exec_driver_sql("UPDATE instance SET version = 2")
            await connection.exec_driver_sql("SELECT nothing")

    with pytest.raises(OperationalError, match="syntax error"):
        await fail_halfway()
    assert await everything_in(store) == before
    await a_process(store, INVOICES)


async def test_a_cancelled_transaction_is_rolled_back(store: SqlStore) -> None:
    await a_process(store, holding=[an_instance(1)])
    before = await everything_in(store)
    written = Event()

    async def dawdle() -> None:
        async with store.transaction() as transaction:
            await transaction.instances.report(ORDERS, [a_report(1, status=Status.FAILED)])
            written.set()
            await sleep(60)

    task = create_task(dawdle())
    await written.wait()
    task.cancel()
    await gather(task, return_exceptions=True)
    assert task.cancelled()
    assert await everything_in(store) == before
    await a_process(store, INVOICES)


async def cancel_by_task(store: SqlStore, wait: int) -> object:
    task = create_task(upgrade_in_small_chunks(store))
    for _ in range(wait * 7):
        await sleep(0)
    task.cancel()
    return await gather(task, return_exceptions=True)


async def cancel_by_scope(store: SqlStore, wait: int) -> object:
    """A cancel scope of anyio cancels every later await of its task, too, also those that clean up."""
    async with create_task_group() as group:
        group.start_soon(upgrade_in_small_chunks, store)
        for _ in range(wait * 7):
            await sleep(0)
        group.cancel_scope.cancel()
    return group


async def upgrade_in_small_chunks(store: SqlStore) -> None:
    await upgrade_instances(
        store,
        UpgradeRequest(process=ORDERS, selection=all_active()),
        caller=ADMIN,
        worker=a_worker(str(uuid4()), size=5),
    )


@pytest.mark.parametrize("cancel", [cancel_by_task, cancel_by_scope])
async def test_transactions_cancelled_at_any_moment_leave_whole_states_and_no_lock(
    store: SqlStore, cancel: Callable[[SqlStore, int], Awaitable[object]]
) -> None:
    await a_process(store, holding=instances(range(50)))
    # A kept traceback keeps the cursors of its transaction alive.
    kept = [await cancel(store, 0)]
    for wait in range(1, 15):
        async with timeout(1), store.transaction() as transaction:
            await transaction.instances.report(ORDERS, [a_report(n) for n in range(50)])
        held = await everything_in(store)
        for upgrade in held.upgrades:
            assert len(held.outcomes[upgrade.id]) == upgrade.total
        upgraded = sum(instance.version == 2 for instance in held.instances[ORDERS])
        assert sum(each.upgraded for each in held.upgrades) == upgraded
        kept.append(await cancel(store, wait))
    async with timeout(5):
        done = await upgrade_instances(
            store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN
        )
    assert done.total == 50
    assert await instances_of(store, ORDERS) == instances(range(50), version=2)
    assert len(kept) == 15


@pytest.mark.parametrize("busy", [0, 0.2], ids=["idle loop", "busy loop"])
async def test_a_transaction_cancelled_twice_leaves_the_next_ones_alone(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch, busy: float
) -> None:
    await a_process(store, holding=instances(range(3)))
    begun = Event()

    class Slow(sqlite3.Connection):
        def rollback(self) -> None:
            time.sleep(0.1)
            sqlite3.Connection.rollback(self)

    factory = "_Connection"
    monkeypatch.setattr(getattr(sqlite, factory), "rollback", Slow.rollback, raising=False)

    async def report(number: int, *, and_wait: bool = False) -> None:
        async with store.transaction() as transaction:
            await transaction.instances.report(ORDERS, [a_report(number, status=Status.FAILED)])
            if and_wait:
                begun.set()
                await Event().wait()

    cancelled = create_task(report(0, and_wait=True))
    await begun.wait()
    refused = create_task(
        create_process(store, namespace=ORDERS.namespace, code=ORDERS.code, title=None, caller=ADMIN)
    )
    await sleep(0)
    cancelled.cancel()
    await sleep(0)
    cancelled.cancel()  # while it rolls back, on the thread of the connection
    for _ in range(2):
        await sleep(0)
    time.sleep(busy)  # noqa: ASYNC251  the thread ends the rollback while the event loop is busy
    with suppress(CancelledError):
        await cancelled
    with pytest.raises(ProcessExists):
        await refused
    await report(1)
    async with timeout(4), store.transaction(in_background=True) as transaction:
        await transaction.instances.report(ORDERS, [a_report(2, status=Status.FAILED)])
    failed = [held.id for held in await instances_of(store, ORDERS) if held.status is Status.FAILED]
    assert failed == [an_id(1), an_id(2)]


async def test_readers_see_the_state_before_an_open_transaction(store: SqlStore, neighbour: SqlStore) -> None:
    await a_process(store, holding=instances(range(3)))
    before = await everything_in(store)
    async with store.transaction() as transaction:
        await transaction.instances.report(ORDERS, [a_report(n, status=Status.FAILED) for n in range(3)])
        assert await everything_in(store) == before
        assert await everything_in(neighbour) == before
        assert await gather(*(instances_of(store, ORDERS) for _ in range(20))) == [
            instances(range(3)) for _ in range(20)
        ]
    after = await everything_in(neighbour)
    assert after == await everything_in(store)
    assert after.instances[ORDERS] == instances(range(3), status=Status.FAILED)


async def test_readers_are_answered_while_the_file_is_locked(store: SqlStore, file: Path) -> None:
    await a_process(store, holding=[an_instance(1)])
    with locked(file):
        async with timeout(2):
            assert await instances_of(store, ORDERS) == [an_instance(1)]


async def test_a_locked_file_is_an_error_and_no_hang(
    store: SqlStore, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "LOCK_WAIT", 0.05)
    await a_process(store, holding=[an_instance(1)])
    before = await everything_in(store)
    with locked(file):
        async with timeout(2):
            with pytest.raises(StoreUnavailable, match="the database says 'database is locked'"):
                await upgrade_instances(
                    store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN
                )
            with pytest.raises(StoreUnavailable, match="the database says 'database is locked'"):
                await a_process(store, INVOICES)
        assert await everything_in(store) == before
    done = await upgrade_instances(
        store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN
    )
    assert done.upgraded == 1


async def test_a_writer_waits_for_the_lock_of_another(store: SqlStore, file: Path) -> None:
    await a_process(store, holding=[an_instance(1)])
    with locked(file):
        task = create_task(
            upgrade_instances(store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN)
        )
        await sleep(0.1)
        assert not task.done()
    async with timeout(4):
        assert (await task).upgraded == 1


async def test_rolled_back_changes_are_unknown_to_the_neighbour(store: SqlStore, neighbour: SqlStore) -> None:
    await a_process(store, holding=[an_instance(1)])
    async with a_transaction_that_fails(store) as transaction:
        await transaction.instances.register(ORDERS, [an_instance(2)])
    assert await instances_of(neighbour, ORDERS) == [an_instance(1)]
    assert await neighbour.instances.find_many([an_id(2)]) == {}


async def test_a_file_that_cannot_be_written_is_an_outage(store: SqlStore) -> None:
    async def write() -> None:
        async with store.database.reading() as connection:
            await connection.exec_driver_sql("PRAGMA query_only = ON")
            await connection.exec_driver_sql("DELETE FROM position")

    with pytest.raises(StoreUnavailable, match="attempt to write a readonly database"):
        await write()


async def test_a_missing_table_is_an_error_of_ours_and_no_outage(store: SqlStore) -> None:
    with pytest.raises(OperationalError, match="no such table"):
        async with store.database.reading() as connection:
            await connection.exec_driver_sql("SELECT 1 FROM nowhere")
