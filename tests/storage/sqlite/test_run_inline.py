"""Statements on a few rows run on the thread of the event loop, and so does the transaction of a few ids."""

import sqlite3
from asyncio import CancelledError, create_task, sleep
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from threading import Event, get_ident

import pytest
from sqlalchemy.exc import DatabaseError

from uplift.domain import Status, Upgrade, all_active, by_ids, upgrade_instances
from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.model.instance import InstanceId
from uplift.domain.model.request import UpgradeRequest
from uplift.storage.sqlite.driver import SqliteConnection
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, a_report, an_id, an_instance, instances
from uplift.testing.upgrade_work import SMALL

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


class Statements:
    """The statements of the connection that writes, each with the thread that executed it."""

    def __init__(self) -> None:
        self._executed: list[tuple[int, str]] = []

    async def record(self, store: SqlStore) -> None:
        async with store.database.writing() as connection:
            assert isinstance(connection, SqliteConnection)
            await connection.run_in_thread(lambda raw: raw.set_trace_callback(self._add))
        self._executed.clear()

    def _add(self, statement: str) -> None:
        self._executed.append((get_ident(), statement))

    def switched(self) -> list[str]:
        """The first word of each statement since the last call that another thread executed."""
        switched = [statement.split()[0] for thread, statement in self._executed if thread != get_ident()]
        self._executed.clear()
        return switched


async def upgrade(store: SqlStore, numbers: Iterable[int], *, key: str | None = None) -> Upgrade:
    selection = by_ids([an_id(number) for number in numbers])
    request = UpgradeRequest(process=ORDERS, selection=selection, idempotency_key=key)
    return await upgrade_instances(store, request, caller=ADMIN)


async def test_an_upgrade_of_a_few_ids_leaves_the_event_loop_only_to_commit(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(60)))
    statements = Statements()
    await statements.record(store)
    for number in range(3):
        await upgrade(store, [number])
        await upgrade(store, range(10 * number + 10, 10 * number + 15))
    statements.switched()
    assert (await upgrade(store, [5])).upgraded == 1
    assert statements.switched() == ["COMMIT"]
    assert (await upgrade(store, range(40, 45))).upgraded == 5
    assert statements.switched() == ["COMMIT"]


async def test_a_chunk_calls_its_thread_for_its_lease_its_end_its_statements_and_its_commit(
    store: SqlStore,
) -> None:
    await a_process(store, holding=instances(range(40)))
    async with store.database.writing(in_background=True) as connection:
        assert isinstance(connection, SqliteConnection)
    calls: list[int] = []
    worker = replace(
        SMALL,
        chunk_policy=ChunkPolicy(inline_limit=1, initial_size=5, min_size=5, max_size=5),
        on_chunk=lambda _, __: calls.append(connection._calls_begun),
    )
    request = UpgradeRequest(process=ORDERS, selection=all_active())
    assert (await upgrade_instances(store, request, caller=ADMIN, worker=worker)).upgraded == 40
    # The first chunks decide, and execute each statement for the first time; the last one ends the upgrade.
    assert [later - earlier for earlier, later in pairwise(calls[2:-1])] == [4] * 4


async def test_an_upgrade_of_many_ids_runs_on_the_thread_of_the_connection(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(60)))
    statements = Statements()
    await statements.record(store)
    for number in range(4):
        statements.switched()
        assert (await upgrade(store, range(15 * number, 15 * number + 15))).upgraded == 15
    assert set(statements.switched()) >= {"INSERT", "UPDATE", "COMMIT"}


async def test_what_may_take_long_leaves_the_event_loop_also_in_an_upgrade_of_one_id(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(60)))
    statements = Statements()
    await statements.record(store)
    for number in range(4):
        statements.switched()
        await upgrade(store, [number], key=f"key-{number}")
    assert statements.switched() == ["DELETE", "COMMIT"]


async def test_a_transaction_waits_for_another_program_beside_the_event_loop(
    store: SqlStore, file: Path
) -> None:
    await a_process(store, holding=instances(range(10)))
    for number in range(3):
        await upgrade(store, [number])
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        upgrading = create_task(upgrade(store, [7]))
        await sleep(0.05)
        assert not upgrading.done()
        other.execute("COMMIT")
    assert (await upgrading).upgraded == 1


async def test_an_upgrade_of_one_id_that_fails_leaves_no_transaction(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(10)))
    for number in range(3):
        await upgrade(store, [number])
    statements = Statements()
    async with store.database.writing() as connection:
        assert isinstance(connection, SqliteConnection)
        await connection.run_in_thread(
            lambda raw: raw.set_authorizer(
                lambda action, table, *_: (
                    sqlite3.SQLITE_DENY
                    if (action, table) == (sqlite3.SQLITE_INSERT, "decision")
                    else sqlite3.SQLITE_OK
                )
            )
        )
    with pytest.raises(DatabaseError, match="not authorized"):
        await upgrade(store, [7])
    async with store.database.writing() as connection:
        assert isinstance(connection, SqliteConnection)
        await connection.run_in_thread(lambda raw: raw.set_authorizer(None))
    await statements.record(store)
    assert (await upgrade(store, [7])).upgraded == 1
