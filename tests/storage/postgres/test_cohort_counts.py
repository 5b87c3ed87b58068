"""Kept counts on PostgreSQL: right while many transactions change them, none of which waits for a count."""

from asyncio import TaskGroup, gather, timeout
from random import Random

import pytest

from tests.storage.postgres.on_postgres import ask
from tests.storage.recording import statements_on
from uplift.domain import Status, all_active, by_ids, register_instances, report_instances
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.use_cases.plan import plan_upgrade
from uplift.storage.count_check import find_count_differences, repair_counts
from uplift.storage.statements.instances import cohort_counts
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, a_report, an_id, an_instance, at, instances
from uplift.testing.upgrade_work import SMALL, request, work

pytestmark = pytest.mark.anyio

PARTS = "SELECT count(*) FROM cohort_part"
COUNTS = "SELECT count(*) FROM cohort_count"
CHANGES = "SELECT count(*) FROM cohort_change"
COHORTS = "SELECT count(DISTINCT (process_id, version, status, position_id)) FROM instance"
LOCK_ALL = "SELECT * FROM cohort_count FOR UPDATE"
TASKS = 6
ROUNDS = 6
HELD = 200


async def must_be_right(store: SqlStore) -> None:
    assert await find_count_differences(store.database) == ()


async def write_at_random(store: SqlStore, seed_of_task: int) -> None:
    """Report, register and register again, each several instances of few cohorts."""
    chance = Random(seed_of_task)
    for number in range(ROUNDS):
        some = chance.sample(range(HELD), 10)
        reports = [
            a_report(known, status=chance.choice(list(Status)), position=at(chance.choice("abc")))
            for known in some
        ]
        await report_instances(store, reports=reports, caller=ADMIN)
        # Another task registers the same ids at the same time.
        new = [an_instance(1_000 + number * 4 + k, position=at(chance.choice("abc"))) for k in range(8)]
        await register_instances(store, process=ORDERS, instances=new, caller=ADMIN)


@pytest.mark.parametrize("limit", [0, 5, 8_192])
async def test_counts_are_right_at_any_moment_of_concurrent_changes(
    store: SqlStore, neighbour: SqlStore, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cohort_counts, "FOLDED_AFTER", limit)
    await a_process(store, holding=[an_instance(n, position=at("abc"[n % 3])) for n in range(HELD)])
    upgrade = await request(store)
    is_over = False

    async def watch() -> None:
        while not is_over:
            await must_be_right(neighbour)

    async with TaskGroup() as watching:
        watching.create_task(watch())
        try:
            async with TaskGroup() as writing:
                for number in range(TASKS):
                    writing.create_task(write_at_random((store, neighbour)[number % 2], number))
                writing.create_task(work(store, upgrade.id, SMALL))
        finally:
            is_over = True
    await must_be_right(store)


@pytest.mark.parametrize("limit", [0, 8_192])
async def test_no_transaction_waits_for_one_that_folds(
    store: SqlStore, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cohort_counts, "FOLDED_AFTER", limit)
    await a_process(store, holding=[*instances(range(10)), an_instance(10, status=Status.RUNNING)])
    async with store.database.writing() as connection:
        # As one that has folded, and does not commit.
        await connection.exec_driver_sql(LOCK_ALL)
        await connection.exec_driver_sql(
            f"SELECT pg_advisory_xact_lock({cohort_counts.FOLD_LOCK}, id) FROM process"
        )
        async with timeout(30):
            await register_instances(store, process=ORDERS, instances=instances([11, 12]), caller=ADMIN)
            await report_instances(
                store, reports=[a_report(0, status=Status.RUNNING), a_report(1, position=at())], caller=ADMIN
            )
            await request(store, by_ids(map(an_id, [2, 3, 11])))
            await must_be_right(store)
    await must_be_right(store)


async def test_changes_and_empty_counts_stay_few(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort_counts, "FOLDED_AFTER", 10)
    await a_process(store, holding=instances(range(20)))
    for number in range(60):
        # Each report leaves a cohort that no instance enters again.
        await report_instances(
            store, reports=[a_report(number % 20, position=at(f"task {number}"))], caller=ADMIN
        )
        # Each change has two cohorts, of which one is empty now.
        assert await ask(store, PARTS) <= await ask(store, COHORTS) + 10 + 10 // 2 + 2
    await must_be_right(store)


async def test_a_program_folds_the_changes_of_those_that_ended(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(20)))
    for number in range(20):
        await report_instances(store, reports=[a_report(number, position=at("a"))], caller=ADMIN)
    assert await ask(store, PARTS) > 20
    started_later = SqlStore(store.database)
    await report_instances(started_later, reports=[a_report(0, position=at("b"))], caller=ADMIN)
    assert await ask(store, PARTS) == await ask(store, COUNTS) == await ask(store, COHORTS) == 2
    await must_be_right(store)


async def test_instances_that_change_places_leave_no_change(store: SqlStore) -> None:
    await a_process(store, holding=[an_instance(0, position=at("a")), an_instance(1, position=at("b"))])
    changes = await ask(store, CHANGES)
    swap = [a_report(0, position=at("b")), a_report(1, position=at("a"))]
    await report_instances(store, reports=swap, caller=ADMIN)
    assert await ask(store, CHANGES) == changes
    await must_be_right(store)


async def test_counts_are_repaired_while_changes_are_not_folded(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(3)))
    await report_instances(store, reports=[a_report(0, position=at("a"))], caller=ADMIN)
    async with store.database.writing() as connection:
        await connection.exec_driver_sql("UPDATE cohort_count SET instances = 9")
        await connection.exec_driver_sql("COMMIT")
    assert await repair_counts(store.database) != ()
    await must_be_right(store)


async def test_an_id_that_is_registered_twice_at_once_counts_once(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store)
    for number in range(0, 50, 5):
        again = instances(range(number, number + 5), position=at(f"at {number}"))
        await gather(
            register_instances(store, process=ORDERS, instances=again, caller=ADMIN),
            register_instances(neighbour, process=ORDERS, instances=again[::-1], caller=ADMIN),
        )
    await must_be_right(store)
    assert await store.instances.count_active(ORDERS) == 50


async def test_a_plan_of_all_active_instances_reads_no_instance(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(3)))
    async with store.database.reading() as connection:
        pass
    with statements_on(connection) as sent:
        await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=all_active()))
        await store.instances.cohorts([ORDERS])
        await store.instances.count_active(ORDERS)
    counting = [found.sql for found in sent if "cohort_part" in found.sql]
    assert len(counting) == 3
    assert [sql for sql in counting if "FROM instance" in sql] == []
