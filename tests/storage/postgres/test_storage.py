"""The tables, locks and connections of a store on PostgreSQL are fast and safe."""

import struct
from asyncio import create_task, gather, open_connection, sleep
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from tests.storage.postgres.on_postgres import ask, until, until_a_lock_is_awaited
from tests.storage.recording import statements_on
from tests.support.postgres import the_server
from uplift.domain import (
    ProcessKey,
    Status,
    VersionNumber,
    all_active,
    by_ids,
    create_process,
    register_instances,
    report_instances,
    run_upgrade,
    upgrade_instances,
)
from uplift.domain.errors import ProcessExists, StoreUnavailable, UpliftError
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.request import UndoRequest, UpgradeRequest
from uplift.domain.use_cases.request import request_undo
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.storage.chunks import postgres as postgres_chunks
from uplift.storage.statements.instances.cohort_counts import CountChanges, SavedChanges
from uplift.storage.statements.instances.instances import COPY_THRESHOLD, insert_instances
from uplift.storage.store import SqlStore
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    NOON,
    ORDERS,
    a_cohort,
    a_process,
    a_report,
    a_worker,
    an_id,
    an_instance,
    at,
    instances,
)
from uplift.testing.chunk_work import lock, plain_rules
from uplift.testing.stores import everything_in, instances_of, outcomes_of
from uplift.testing.upgrade_work import SMALL, request, work, work_and_die

pytestmark = pytest.mark.anyio

CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def cut_all_connections(store: SqlStore) -> None:
    await the_server().execute(CUT, database=await ask(store, "SELECT current_database()"))
    await sleep(0.05)


@pytest.mark.parametrize("selected", ["some", "all"])
async def test_nearly_all_upgraded_rows_stay_on_their_page(store: SqlStore, selected: str) -> None:
    ended = Status.COMPLETED if selected == "some" else Status.PENDING
    held = [
        an_instance(number, status=ended if number % 2 else Status.PENDING, position=at(f"a{number % 20}"))
        for number in range(10_000)
    ]
    await a_process(store, holding=held)
    async with store.database.writing() as connection:
        await connection.exec_driver_sql("SELECT pg_stat_reset()")
    worker = a_worker(size=1_000)
    done = await upgrade_instances(
        store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN, worker=worker
    )
    assert done.upgraded == (5_000 if selected == "some" else 10_000)
    hot, updated = await counted_updates(store, done.upgraded)
    assert hot / updated > 0.9


async def counted_updates(store: SqlStore, at_least: int) -> tuple[int, int]:
    """Heap-only updates and all updates of instances. A connection flushes its counts once a second."""
    for _ in range(100):
        async with store.database.writing() as connection:
            # An older server flushes its counts after a statement only.
            can_flush = (connection.dialect.server_version_info or ()) >= (15,)
            flush = "SELECT pg_stat_force_next_flush()" if can_flush else "SELECT 1"
            await connection.exec_driver_sql(flush)
        async with store.database.reading() as connection:
            found = await connection.exec_driver_sql(
                "SELECT n_tup_hot_upd, n_tup_upd FROM pg_stat_user_tables WHERE relname = 'instance'"
            )
            hot, updated = tuple(found.one())
        if updated >= at_least:
            return hot, updated
        await sleep(0.05)
    raise AssertionError(f"expected {at_least} updates to be counted, but there are {updated}")


@pytest.mark.parametrize("selected", ["by ids", "all active"])
async def test_no_instance_is_compared_with_each_outcome_of_its_chunk_in_tables_that_are_not_analysed(
    store: SqlStore, selected: str
) -> None:
    await a_process(store, holding=[*instances([1, 2]), an_instance(3, status=Status.RUNNING)])
    selection = by_ids(map(an_id, [1, 2, 3])) if selected == "by ids" else all_active()
    async with store.database.writing() as connection:
        pass
    with statements_on(connection) as sent:
        done = await upgrade_instances(
            store, UpgradeRequest(process=ORDERS, selection=selection), caller=ADMIN
        )
    assert (done.upgraded, done.skipped) == (2, 1)
    [rest] = [statement for statement in sent if statement.sql.startswith("WITH rest")]
    async with store.database.reading() as connection:
        plan = await connection.exec_driver_sql(f"EXPLAIN {rest.sql}", rest.values)
    assert [line for (line,) in plan if "Anti Join" in line or "Join Filter" in line] == []


async def test_analyze_refreshes_the_statistics_of_instances(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(500)))
    rows = "SELECT reltuples::int FROM pg_class WHERE relname = 'instance'"
    assert await ask(store, rows) == -1  # never analyzed
    await store.database.analyze()
    assert await ask(store, rows) == 500


async def test_times_and_ids_are_kept_in_types_of_their_own(store: SqlStore) -> None:
    await a_process(store, holding=instances([1]))
    kinds = "SELECT string_agg(DISTINCT data_type, ' ') FROM information_schema.columns"
    ours = f"{kinds} WHERE table_schema = 'public' AND column_name LIKE "
    assert await ask(store, ours + "'%%uuid'") == "uuid"
    assert await ask(store, ours + "'%%\\_at'") == "timestamp with time zone"
    [process] = (await store.processes.page(PageRequest(first=1))).items
    assert process.created_at == NOON
    assert NOON.microsecond


async def test_cut_connections_are_made_anew(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(3)))
    before = await everything_in(store)
    await cut_all_connections(store)
    assert await everything_in(store) == before
    await a_process(store, INVOICES)


async def test_a_transaction_that_is_cut_writes_nothing(store: SqlStore, neighbour: SqlStore) -> None:
    await a_process(store, holding=[an_instance(1)])
    before = await everything_in(store)

    async def write() -> None:
        async with store.transaction() as transaction:
            await transaction.instances.report(ORDERS, [a_report(1, status=Status.FAILED)])
            await cut_all_connections(neighbour)

    with pytest.raises(StoreUnavailable):
        await write()
    assert await everything_in(store) == before


async def test_a_process_that_two_programs_create_at_once_is_created_once(
    store: SqlStore, neighbour: SqlStore
) -> None:
    async def create(where: SqlStore, code: str) -> bool:
        try:
            await create_process(where, namespace="crm", code=code, title=None, caller=ADMIN)
        except ProcessExists:
            return False
        return True

    for code in map("process-{}".format, range(20)):
        assert sorted(await gather(create(store, code), create(neighbour, code))) == [False, True]


async def test_new_positions_that_two_programs_learn_at_once_are_the_same(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store)
    held = [an_instance(number, position=at(f"p{number % 100}")) for number in range(400)]
    await gather(
        register_instances(store, process=ORDERS, instances=held[:200], caller=ADMIN),
        register_instances(neighbour, process=ORDERS, instances=held[:199:-1], caller=ADMIN),
    )
    assert await ask(store, "SELECT count(*) FROM position") == 100
    assert {instance.id: instance for instance in await instances_of(store, ORDERS)} == {
        instance.id: instance for instance in held
    }


async def test_an_instance_that_two_processes_register_at_once_belongs_to_one(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store)
    await a_process(store, INVOICES)

    async def register(where: SqlStore, number: int, process: ProcessKey) -> bool:
        try:
            new = an_instance(number, process=process, position=at(process.code))
            await register_instances(where, process=process, instances=[new], caller=ADMIN)
        except UpliftError:
            return False
        return True

    for number in range(20):
        done = await gather(register(store, number, ORDERS), register(neighbour, number, INVOICES))
        assert sorted(done) == [False, True]
        [kept] = (await store.instances.find_many([an_id(number)])).values()
        assert kept == an_instance(number, process=kept.process, position=at(kept.process.code))


@pytest.mark.parametrize("how", ["wait again", "are registered"])
async def test_instances_that_become_active_in_the_middle_of_a_chunk_are_left_to_others(
    store: SqlStore, neighbour: SqlStore, how: str
) -> None:
    """They have no outcome, so moving them would leave no audit."""
    ended = an_instance(2, status=Status.COMPLETED)
    await a_process(store, holding=[an_instance(1), ended])
    decision = plain_rules(a_cohort(), VersionNumber(2))
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(neighbour.transaction())
        if how == "are registered":
            await engine.instances.register(ORDERS, [an_instance(3)])
        # A later instance exists before the upgrade is requested, so the chunk reaches beyond the new ones.
        await register_instances(store, process=ORDERS, instances=[an_instance(4)], caller=ADMIN)
        queued = await request(store, worker=a_worker(size=1))
        async with store.transaction() as transaction:
            _, partition = await lock(transaction, queued.id)
            chunk = await partition.chunks.record_and_move(10, [])
            assert (chunk.recorded, chunk.is_last) == (2, True)
            if how == "wait again":
                await engine.instances.report(ORDERS, [a_report(ended)])
            await stack.aclose()
            await partition.chunks.keep_decisions([decision])
            assert await partition.chunks.move_rest(chunk, [decision]) == 2
    held = {
        instance.id: (instance.status, instance.version) for instance in await instances_of(store, ORDERS)
    }
    late = an_id(2 if how == "wait again" else 3)
    assert held[late] == (Status.PENDING, 1)
    assert [held[an_id(number)] for number in (1, 4)] == [(Status.PENDING, 2)] * 2


async def test_a_chunk_that_waits_for_an_instance_keeps_nobody_from_those_behind_it(
    store: SqlStore, neighbour: SqlStore
) -> None:
    """The second chunk finds a cohort that the first has decided, behind an instance that is locked."""
    running = an_instance(3, status=Status.RUNNING)
    await a_process(store, holding=[*instances([1, 2]), running, an_instance(4)])
    upgrade = await request(store)
    async with neighbour.transaction() as transaction:
        await transaction.instances.lock([an_id(3)])
        working = create_task(work(store, upgrade.id))
        await until_a_lock_is_awaited(store)
        assert list(await transaction.instances.lock([an_id(4)])) == [an_id(4)]
    done = await working
    assert (done.upgraded, done.skipped) == (3, 1)


@pytest.mark.parametrize("status", [Status.PENDING, Status.RUNNING])
async def test_an_instance_that_goes_on_while_its_chunk_waits_for_it_is_decided_where_it_then_is(
    store: SqlStore, neighbour: SqlStore, status: Status
) -> None:
    """An earlier chunk has already decided the cohort with the new position."""
    await a_process(store, holding=[an_instance(1), an_instance(2, position=at("b")), *instances([3, 4])])
    upgrade = await request(store)
    async with neighbour.transaction() as engine:
        await engine.instances.report(ORDERS, [a_report(3, status=status, position=at("b"))])
        working = create_task(work(store, upgrade.id))
        await until_a_lock_is_awaited(store)
    done = await working
    moves = status is Status.PENDING
    assert (done.upgraded, done.skipped) == ((4, 0) if moves else (3, 1))
    third = (await outcomes_of(store, upgrade.id))[2]
    assert (third.instance, third.from_position, third.from_version) == (an_id(3), at("b"), 1)
    assert (await instances_of(store, ORDERS))[2] == an_instance(
        3, version=2 if moves else 1, status=status, position=at("b")
    )


async def test_a_chunk_gives_way_before_a_deadlock(
    store: SqlStore, neighbour: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise PostgreSQL would detect the deadlock after a second and abort one transaction."""
    # On a busy machine the engine may ask for its second lock later than the 100 ms that a chunk waits.
    monkeypatch.setattr(postgres_chunks, "ATTEMPT_LOCK_WAIT", "800ms")
    await a_process(store, holding=instances([1, 2, 3, 4]))
    begun = await work_and_die(store, (await request(store)).id, chunks=1)
    async with neighbour.transaction() as engine:
        await engine.instances.lock([an_id(4)])
        working = create_task(run_upgrade(store, begun, SMALL))
        await until_a_lock_is_awaited(store)
        assert list(await engine.instances.lock([an_id(3)])) == [an_id(3)]
    done = await working
    assert (done.upgraded, done.skipped) == (4, 0)


async def test_many_instances_that_two_programs_register_at_once_are_kept_once(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store)
    held = instances(range(COPY_THRESHOLD + 1))
    done = await gather(
        *(
            register_instances(where, process=ORDERS, instances=held, caller=ADMIN)
            for where in (store, neighbour)
        )
    )
    assert done == [len(held)] * 2
    assert await instances_of(store, ORDERS) == held


async def test_a_large_registration_lies_in_the_table_in_the_order_in_which_chunks_read_it(
    store: SqlStore,
) -> None:
    held = instances(range(COPY_THRESHOLD))
    assert held != sorted(held, key=lambda instance: instance.id)
    await a_process(store, holding=held)
    misplaced = """
    SELECT count(*) FROM (SELECT ctid, lag(ctid) OVER (ORDER BY id) AS before FROM instance) AS laid
    WHERE ctid < before
    """
    assert await ask(store, misplaced) == 0
    assert await instances_of(store, ORDERS) == held


async def test_instances_that_another_transaction_registers_for_too_long_are_an_unavailable_store(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store)
    held = instances(range(COPY_THRESHOLD))

    async def register_again() -> None:
        async with neighbour.database.writing() as connection:
            await connection.exec_driver_sql("SET LOCAL lock_timeout = '20ms'")
            counts = CountChanges(SavedChanges())
            await insert_instances(connection, counts, 1, held, {held[0].position: 1})

    async with store.transaction() as transaction:
        await transaction.instances.register(ORDERS, held)
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            await register_again()
    assert await instances_of(store, ORDERS) == held


async def test_a_chunk_of_an_undo_has_the_outcomes_that_it_reads_whether_or_not_they_moved(
    store: SqlStore,
) -> None:
    """Else each chunk would look for the next moved one among all outcomes that remain."""
    held = [an_instance(n, status=Status.PENDING if n % 3 == 0 else Status.RUNNING) for n in range(30)]
    await a_process(store, holding=held)
    whole = UpgradeRequest(process=ORDERS, selection=all_active())
    done = await upgrade_instances(store, whole, caller=ADMIN, worker=a_worker())
    moved: list[int] = []
    worker = replace(a_worker(size=10), on_chunk=lambda result, _: moved.append(result.upgraded))
    undo = await request_undo(store, UndoRequest(upgrade_id=done.id), caller=ADMIN, worker=a_worker(size=5))
    undone = await finish_upgrade(store, undo, worker)
    assert (done.upgraded, done.skipped, undone.upgraded, undone.skipped) == (10, 20, 10, 0)
    assert moved == [4, 3, 3]
    assert await instances_of(store, ORDERS) == held


NOT_IDLE = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND wait_event = 'ClientRead'
"""


async def require_transaction_timeout(store: SqlStore) -> None:
    if int(await ask(store, "SHOW server_version_num")) < 170_000:
        pytest.skip("PostgreSQL before 17 has no transaction_timeout")


async def test_a_client_frozen_mid_statement_loses_its_locks_after_the_timeout(
    store: SqlStore,
) -> None:
    """A client frozen mid-statement is not idle in transaction; only transaction_timeout ends it."""
    await require_transaction_timeout(store)
    await a_process(store, holding=instances([1, 2]))
    url = the_server().url(await ask(store, "SELECT current_database()"))
    reader, writer = await open_connection(url.host, url.port)
    # A shorter timeout than the store sets, so that the test does not wait for a minute.
    startup = ["user", url.username, "database", url.database, "options", "-c transaction_timeout=500ms", ""]
    writer.write(message(b"", struct.pack("!i", 3 << 16) + "\0".join(map(str, startup)).encode() + b"\0"))
    writer.write(message(b"Q", b"BEGIN; UPDATE instance SET status = 2\0"))
    writer.write(message(b"P", b"\0SELECT 1\0\0\0") + message(b"H", b""))
    try:
        await until(store, NOT_IDLE)
        await report_instances(store, reports=[a_report(1, status=Status.FAILED)], caller=ADMIN)
        assert b"transaction timeout" in await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()
    assert [instance.status for instance in await instances_of(store, ORDERS)] == [
        Status.FAILED,
        Status.PENDING,
    ]


def message(kind: bytes, content: bytes) -> bytes:
    """A message of PostgreSQL's protocol: its type, its length with that of the length field, its content."""
    return kind + struct.pack("!i", len(content) + 4) + content


async def test_a_write_transaction_has_a_timeout_unless_it_changes_the_schema(store: SqlStore) -> None:
    await require_transaction_timeout(store)
    shown = "SHOW transaction_timeout"
    assert await ask(store, shown) == "0"
    for _ in range(2):
        async with store.database.writing() as connection:
            assert (await connection.exec_driver_sql(shown)).scalar() == "1min"
        async with store.database.migrating() as connection:
            assert (await connection.exec_driver_sql(shown)).scalar() == "0"
