"""Concurrent callers in one or two programs on one file lose nothing and do nothing twice."""

from asyncio import gather
from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

import pytest

from uplift.domain import (
    Instance,
    OutcomeKind,
    ProcessKey,
    Selection,
    Status,
    Upgrade,
    all_active,
    by_ids,
    register_instances,
    report_instances,
    upgrade_instances,
)
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import SelectionKind
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.storage.store import SqlStore
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    ORDERS,
    a_key,
    a_process,
    a_report,
    a_worker,
    an_id,
    an_instance,
    an_upgrade,
    at,
    ids_of,
    instances,
)
from uplift.testing.chunk_work import add_upgrade
from uplift.testing.stores import instances_of, outcomes_of

pytestmark = pytest.mark.anyio


async def upgrade(
    store: SqlStore, selection: Selection, *, process: ProcessKey = ORDERS, chunk_size: int = 7
) -> Upgrade:
    return await upgrade_instances(
        store,
        UpgradeRequest(process=process, selection=selection),
        caller=ADMIN,
        worker=a_worker(str(uuid4()), size=chunk_size),
    )


async def assert_one_outcome_each(store: SqlStore, done: Upgrade, held: Sequence[Instance]) -> None:
    outcomes = await outcomes_of(store, done.id)
    assert Counter(outcome.instance for outcome in outcomes) == Counter(ids_of(held))
    assert Counter(outcome.kind for outcome in outcomes) == Counter(
        {OutcomeKind.UPGRADED: done.upgraded, OutcomeKind.SKIPPED: done.skipped}
    )


async def test_two_programs_upgrade_the_same_process(store: SqlStore, neighbour: SqlStore) -> None:
    held = instances(range(100))
    await a_process(store, holding=held)
    both = await gather(upgrade(store, all_active()), upgrade(neighbour, all_active()))
    assert sum(ended.upgraded for ended in both) == 100
    for done in both:
        await assert_one_outcome_each(neighbour, done, held)
    assert await instances_of(store, ORDERS) == instances(range(100), version=2)


async def test_two_programs_upgrade_different_processes(store: SqlStore, neighbour: SqlStore) -> None:
    orders = instances(range(60))
    invoices = instances(range(100, 160), process=INVOICES, position=at("pay"))
    await a_process(store, ORDERS, holding=orders)
    await a_process(neighbour, INVOICES, holding=invoices)
    both = await gather(
        upgrade(store, all_active()), upgrade(neighbour, by_ids(ids_of(invoices)), process=INVOICES)
    )
    assert [ended.upgraded for ended in both] == [60, 60]
    await assert_one_outcome_each(neighbour, both[0], orders)
    await assert_one_outcome_each(store, both[1], invoices)
    assert {instance.version for instance in await instances_of(store, INVOICES)} == {2}


async def test_two_programs_go_on_with_the_same_upgrade(store: SqlStore, neighbour: SqlStore) -> None:
    held = instances(range(90))
    await a_process(store, holding=held)
    async with store.transaction() as transaction:
        begun = await add_upgrade(
            transaction, an_upgrade(selection=SelectionKind.BY_IDS), by_ids(ids_of(held))
        )
    ends = await gather(
        finish_upgrade(store, begun, a_worker("one", size=4)),
        finish_upgrade(neighbour, begun, a_worker("other", size=4)),
    )
    for done in ends:
        assert (done.upgraded, done.skipped) == (90, 0)
        await assert_one_outcome_each(store, done, held)
    assert await instances_of(store, ORDERS) == instances(range(90), version=2)


async def test_reports_of_another_program_beside_an_upgrade_are_not_lost(
    store: SqlStore, neighbour: SqlStore
) -> None:
    held = instances(range(120))
    await a_process(store, holding=held)
    ended, moved = held[::3], held[1::3]

    async def report() -> None:
        for instance in ended:
            await report_instances(
                neighbour, reports=[a_report(instance, status=Status.COMPLETED)], caller=ADMIN
            )
        for instance in moved:
            await report_instances(neighbour, reports=[a_report(instance, position=at("ship"))], caller=ADMIN)

    done, _ = await gather(upgrade(store, by_ids(ids_of(held)), chunk_size=2), report())
    await assert_one_outcome_each(store, done, held)
    outcomes = {outcome.instance: outcome.kind for outcome in await outcomes_of(store, done.id)}
    upgraded = {instance_id for instance_id, kind in outcomes.items() if kind is OutcomeKind.UPGRADED}
    found = await instances_of(store, ORDERS)
    assert {instance.id for instance in found if instance.version == 2} == upgraded
    assert {instance.id for instance in found if instance.status is Status.COMPLETED} == set(ids_of(ended))
    assert {instance.id for instance in found if instance.position == at("ship")} == set(ids_of(moved))
    assert await instances_of(neighbour, ORDERS) == found


async def test_both_programs_learn_new_processes_and_positions_of_each_other(
    store: SqlStore, neighbour: SqlStore
) -> None:
    async def fill(where: SqlStore, name: str) -> None:
        for number in range(15):
            key = a_key(f"{name}-{number}")
            await a_process(where, key, holding=[an_instance(process=key, position=at(name, str(number)))])

    await gather(fill(store, "here"), fill(neighbour, "there"))
    keys = [a_key(f"{name}-{number}") for name in ("here", "there") for number in range(15)]
    for where in (store, neighbour):
        for key in keys:
            [found] = await instances_of(where, key)
            assert found.position == at(*key.code.split("-"))


async def test_sixteen_upgrades_at_once_on_one_store(store: SqlStore) -> None:
    keys = [a_key(f"process-{number}") for number in range(4)]
    held = {key: instances(range(40 * n, 40 * n + 40), process=key) for n, key in enumerate(keys)}
    for key in keys:
        await a_process(store, key, holding=held[key])
    done = await gather(
        *(upgrade(store, all_active(), process=keys[number % 4], chunk_size=9) for number in range(16))
    )
    assert sum(ended.upgraded for ended in done) == 160
    for ended in done:
        await assert_one_outcome_each(store, ended, held[ended.process])
    for key in keys:
        assert {instance.version for instance in await instances_of(store, key)} == {2}


async def test_upgrades_registrations_and_reads_at_once(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(50)))

    async def register(number: int) -> None:
        new = [an_instance(1_000 + 10 * number + n, position=at(f"new {number}")) for n in range(10)]
        await register_instances(store, process=ORDERS, instances=new, caller=ADMIN)

    async def read() -> list[Instance]:
        return await instances_of(store, ORDERS, first=20)

    await gather(
        *(upgrade(store, all_active(), chunk_size=10) for _ in range(4)),
        *(register(number) for number in range(8)),
        *(read() for _ in range(30)),
    )
    found = await read()
    assert len(found) == len({instance.id for instance in found}) == 130
    assert {instance.version for instance in found[:50]} == {2}
    last = await upgrade(store, all_active())
    assert last.total == 130
    assert {instance.version for instance in await read()} == {2}


async def test_the_same_registration_from_two_programs_counts_once(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store)
    new = instances(range(200), position=at("a", "b"))
    await gather(
        *(
            register_instances(where, process=ORDERS, instances=new, caller=ADMIN)
            for where in (store, neighbour, store, neighbour)
        )
    )
    assert await instances_of(store, ORDERS) == new
    assert (await store.instances.find_many([an_id(7)]))[an_id(7)] == new[7]
