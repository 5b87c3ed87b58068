"""The outcomes of whole upgrades: each selected instance gets one, whatever the size of a chunk."""

from asyncio import gather
from uuid import uuid4

import pytest

from uplift.domain import (
    AllActive,
    ProcessKey,
    Selection,
    Status,
    Upgrade,
    UpgradeState,
    all_active,
    by_ids,
    register_instances,
    report_instances,
    upgrade_instances,
)
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import SelectionKind
from uplift.domain.ports import Store
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    NOON,
    ORDERS,
    a_process,
    a_report,
    a_worker,
    an_id,
    an_instance,
    an_upgrade,
    ids_of,
    instances,
)
from uplift.testing.chunk_work import add_upgrade, run_chunk
from uplift.testing.stores import everything_in, instances_of, outcomes_of

pytestmark = pytest.mark.anyio

CHUNK_SIZES = pytest.mark.parametrize("chunk_size", [1, 2, 3, 6, 7, 25_000])


async def upgrade(
    store: Store, selection: Selection, *, chunk_size: int = 25_000, process: ProcessKey = ORDERS
) -> Upgrade:
    return await upgrade_instances(
        store,
        UpgradeRequest(process=process, selection=selection),
        caller=ADMIN,
        worker=a_worker(str(uuid4()), size=chunk_size),
    )


@CHUNK_SIZES
async def test_the_named_instances_are_upgraded_and_no_others(store: Store, chunk_size: int) -> None:
    await a_process(store, INVOICES, holding=[an_instance(20, process=INVOICES)])
    await a_process(store, holding=instances(range(8)))
    numbers = [5, 30, 2, 20, 7, 0]
    done = await upgrade(store, by_ids(map(an_id, [*numbers, 2, 5, 30])), chunk_size=chunk_size)
    assert (done.state, done.upgraded, done.skipped, done.excluded) == (UpgradeState.COMPLETED, 4, 2, 0)
    assert (done.selection, done.target_version) == (SelectionKind.BY_IDS, 2)
    assert [(outcome.instance, outcome.kind) for outcome in await outcomes_of(store, done.id)] == [
        (an_id(number), "SKIPPED" if number in (30, 20) else "UPGRADED") for number in numbers
    ]
    assert await instances_of(store, ORDERS) == [
        an_instance(n, version=2 if n in numbers else 1) for n in range(8)
    ]
    assert await instances_of(store, INVOICES) == [an_instance(20, process=INVOICES)]
    assert await store.upgrades.find(done.id) == done


@CHUNK_SIZES
async def test_all_active_instances_are_upgraded_except_the_excluded(store: Store, chunk_size: int) -> None:
    other = an_instance(20, process=INVOICES)
    ended = [an_instance(10 + n, status=s) for n, s in enumerate(list(Status)[2:])]
    await a_process(store, INVOICES, holding=[other])
    await a_process(store, holding=[ended[0], *instances(range(8)), *ended[1:]])
    excluded = map(an_id, [3, 3, 12, 20, 30, 0])
    done = await upgrade(store, all_active(excluded), chunk_size=chunk_size)
    assert (done.state, done.upgraded, done.skipped, done.excluded) == (UpgradeState.COMPLETED, 6, 0, 2)
    assert done.selection is SelectionKind.ALL_ACTIVE
    assert [outcome.instance for outcome in await outcomes_of(store, done.id)] == [
        an_id(n) for n in (1, 2, 4, 5, 6, 7)
    ]
    assert await instances_of(store, ORDERS) == [
        ended[0],
        *(an_instance(n, version=1 if n in (0, 3) else 2) for n in range(8)),
        *ended[1:],
    ]
    assert await instances_of(store, INVOICES) == [other]


@CHUNK_SIZES
async def test_excluding_everything_upgrades_nothing(store: Store, chunk_size: int) -> None:
    await a_process(store, holding=instances(range(7)))
    done = await upgrade(store, all_active(map(an_id, range(7))), chunk_size=chunk_size)
    assert (done.state, done.total, done.excluded) == (UpgradeState.COMPLETED, 0, 7)
    assert await instances_of(store, ORDERS) == instances(range(7))


async def test_an_upgrade_of_a_process_without_instances_completes(store: Store) -> None:
    await a_process(store)
    done = await upgrade(store, AllActive())
    assert (done.state, done.total, done.excluded) == (UpgradeState.COMPLETED, 0, 0)
    assert (done.requested_at, done.finished_at) == (NOON, NOON)


async def test_instances_of_all_lower_versions_move_to_the_latest(store: Store) -> None:
    await a_process(store, published=4, draft=True, holding=[an_instance(n, version=n) for n in (1, 2, 3, 4)])
    done = await upgrade(store, all_active())
    assert (done.target_version, done.upgraded, done.skipped) == (4, 3, 1)
    assert {instance.version for instance in await instances_of(store, ORDERS)} == {4}


async def test_an_instance_above_the_latest_published_version_stays(store: Store) -> None:
    await a_process(store, draft=True)
    async with store.transaction() as transaction:
        await transaction.instances.register(ORDERS, [an_instance(1, version=3)])
    done = await upgrade(store, all_active())
    assert (done.upgraded, done.skipped) == (0, 1)
    assert await instances_of(store, ORDERS) == [an_instance(1, version=3)]


async def test_the_count_of_the_excluded_survives_all_chunks(store: Store) -> None:
    await a_process(store, holding=instances(range(5)))
    done = await upgrade(store, all_active([an_id(4)]), chunk_size=1)
    stored = await store.upgrades.find(done.id)
    assert stored == done
    assert done.excluded == 1


@pytest.mark.parametrize("selection", [all_active([an_id(1)]), by_ids(map(an_id, range(10)))], ids=str)
async def test_an_upgrade_continues_at_its_cursor_after_a_crash(store: Store, selection: Selection) -> None:
    await a_process(store, holding=instances(range(10)))
    async with store.transaction() as transaction:
        opened = await add_upgrade(transaction, an_upgrade(selection=selection.kind), selection)
        begun = (await run_chunk(transaction, opened.id, 4)).upgrade
    assert await store.upgrades.claimable(NOON) == begun
    # The upgrade that is passed in may be older than the stored one, whose cursor counts.
    done = await finish_upgrade(store, opened, a_worker(size=4))
    expected = 9 if selection.kind is SelectionKind.ALL_ACTIVE else 10
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, expected, 0)
    assert len({outcome.instance for outcome in await outcomes_of(store, done.id)}) == expected
    assert len(await outcomes_of(store, done.id)) == expected
    assert await store.upgrades.claimable(NOON) is None


async def test_finishing_a_finished_upgrade_changes_nothing(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    done = await upgrade(store, all_active())
    async with store.transaction() as transaction:
        await transaction.instances.register(ORDERS, instances([5]))
    before = await everything_in(store)
    assert await finish_upgrade(store, done, a_worker()) == done
    assert await everything_in(store) == before


async def test_several_workers_may_finish_the_same_upgrade(store: Store) -> None:
    await a_process(store, holding=instances(range(20)))
    async with store.transaction() as transaction:
        begun = await add_upgrade(transaction, an_upgrade(), all_active())
    ends = await gather(*(finish_upgrade(store, begun, a_worker(f"{n}", size=3)) for n in range(4)))
    assert {(upgrade.upgraded, upgrade.skipped) for upgrade in ends} == {(20, 0)}
    assert len(await outcomes_of(store, begun.id)) == 20
    assert await instances_of(store, ORDERS) == instances(range(20), version=2)


async def test_concurrent_upgrades_move_each_instance_once(store: Store) -> None:
    await a_process(store, holding=instances(range(30)))
    selections: list[Selection] = [all_active(), by_ids(map(an_id, range(0, 30, 2))), all_active([an_id(0)])]
    done = await gather(*(upgrade(store, selection, chunk_size=4) for selection in selections))
    assert [upgraded.total for upgraded in done] == [30, 15, 29]
    assert sum(upgraded.upgraded for upgraded in done) == 30
    moved = [
        outcome.instance
        for upgraded in done
        for outcome in await outcomes_of(store, upgraded.id)
        if outcome.kind == "UPGRADED"
    ]
    assert len(moved) == len(set(moved)) == 30
    assert await instances_of(store, ORDERS) == instances(range(30), version=2)


async def test_reports_and_registrations_beside_an_upgrade_lose_nothing(store: Store) -> None:
    held = instances(range(40))
    await a_process(store, holding=held)

    async def report_and_register() -> None:
        for number in range(40):
            report = a_report(number, status=Status.COMPLETED)
            await report_instances(store, reports=[report], caller=ADMIN)
            await register_instances(
                store, process=ORDERS, instances=[an_instance(100 + number)], caller=ADMIN
            )

    done, _ = await gather(upgrade(store, by_ids(ids_of(held)), chunk_size=2), report_and_register())
    outcomes = {outcome.instance: outcome for outcome in await outcomes_of(store, done.id)}
    assert done.total == len(outcomes) == 40
    found = await instances_of(store, ORDERS)
    assert {instance.status for instance in found[:40]} == {Status.COMPLETED}
    assert [instance.version for instance in found[:40]] == [
        2 if outcomes[instance.id].kind == "UPGRADED" else 1 for instance in held
    ]
    assert found[40:] == instances(range(100, 140))
