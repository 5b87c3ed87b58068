"""A request that fits into one chunk is carried out in its own transaction; a larger one is queued."""

from asyncio import create_task, sleep
from dataclasses import replace

import pytest

from uplift.domain import (
    Selection,
    Status,
    Upgrade,
    UpgradeState,
    VersionNumber,
    all_active,
    by_ids,
    plan_upgrade,
)
from uplift.domain.errors import ErrorCode
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.ports import Store
from uplift.domain.use_cases.plan import PlanChanged
from uplift.testing.builders import (
    EVENING,
    INVOICES,
    NOON,
    ORDERS,
    a_clock,
    a_process,
    a_report,
    a_worker,
    an_id,
    an_instance,
    instances,
)
from uplift.testing.refusals import refused
from uplift.testing.stores import everything_in, instances_of, outcomes_of
from uplift.testing.upgrade_work import SKIPPED, UPGRADED, kinds_of, leases_of, request, work, work_and_die

pytestmark = pytest.mark.anyio

BOTH_WAYS = pytest.mark.parametrize("selection", [all_active(), by_ids(map(an_id, range(3)))], ids=str)


@BOTH_WAYS
async def test_a_selection_larger_than_a_chunk_is_queued(store: Store, selection: Selection) -> None:
    await a_process(store, holding=instances(range(3)))
    queued = await request(store, selection, reason="a new law")
    assert queued == Upgrade(
        id=queued.id,
        process=ORDERS,
        selection=selection.kind,
        target_version=queued.target_version,
        state=UpgradeState.QUEUED,
        requested_by="admin",
        reason="a new law",
        requested_at=NOON,
        expected=3,
        named_ids=len(selection.named_ids),
    )
    assert queued.target_version == 2
    assert await store.upgrades.find(queued.id) == queued
    assert await store.upgrades.claimable(NOON) == queued
    assert await outcomes_of(store, queued.id) == []
    assert await instances_of(store, ORDERS) == instances(range(3))


@BOTH_WAYS
async def test_a_selection_of_one_chunk_is_upgraded_inline(store: Store, selection: Selection) -> None:
    await a_process(store, holding=instances(range(3)))
    done = await request(store, selection, worker=a_worker(size=3))
    assert (done.state, done.expected, done.upgraded) == (UpgradeState.COMPLETED, 3, 3)
    assert await leases_of(store, done.id) == []
    assert (done.requested_at, done.started_at, done.finished_at) == (NOON, NOON, NOON)
    assert await store.upgrades.find(done.id) == done
    assert await store.upgrades.claimable(NOON) is None
    assert await instances_of(store, ORDERS) == instances(range(3), version=2)


async def test_excluded_instances_do_not_count_against_the_inline_limit(store: Store) -> None:
    await a_process(store, INVOICES, holding=[an_instance(20, process=INVOICES)])
    await a_process(store, holding=[*instances(range(5)), an_instance(9, status=Status.FAILED)])
    done = await request(store, all_active(map(an_id, [0, 1, 4, 9, 20, 30])))
    assert (done.state, done.expected, done.excluded, done.upgraded) == (UpgradeState.COMPLETED, 2, 3, 2)
    assert (done.started_at, done.finished_at) == (NOON, NOON)
    assert await store.upgrades.find(done.id) == done


async def test_excluded_instances_are_not_expected(store: Store) -> None:
    await a_process(store, holding=[*instances(range(6)), an_instance(9, status=Status.FAILED)])
    queued = await request(store, all_active(map(an_id, [0, 9, 30])))
    assert (queued.state, queued.expected, queued.excluded) == (UpgradeState.QUEUED, 5, 1)
    assert await store.upgrades.find(queued.id) == queued


async def test_ids_without_an_instance_are_expected_too(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    queued = await request(store, by_ids(map(an_id, [1, 8, 9])))
    assert (queued.state, queued.expected) == (UpgradeState.QUEUED, 3)
    done = await work(store, queued.id)
    assert (done.expected, done.upgraded, done.skipped) == (3, 1, 2)


async def test_an_upgrade_of_a_process_without_instances_completes_inline(store: Store) -> None:
    await a_process(store)
    done = await request(store)
    assert (done.state, done.expected, done.total) == (UpgradeState.COMPLETED, 0, 0)


async def test_a_small_request_does_not_wait_for_a_large_one_of_its_process(store: Store) -> None:
    await a_process(store, holding=instances(range(6)))
    large = await request(store)
    await work_and_die(store, large.id, chunks=1)
    small = await request(store, by_ids([an_id(5)]), worker=a_worker("other", size=1))
    assert (small.state, small.upgraded) == (UpgradeState.COMPLETED, 1)
    later = a_worker("other", size=2, clock=a_clock(EVENING))
    done = await work(store, large.id, later)
    assert await kinds_of(store, done.id) == {
        **{an_id(n): UPGRADED for n in range(5)},
        an_id(5): SKIPPED,
    }


async def test_the_target_version_is_fixed_by_the_request(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    queued = await request(store)
    async with store.transaction() as transaction:
        [_, latest] = (await transaction.processes.lock_versions([ORDERS]))[ORDERS]
        await transaction.processes.put_version(ORDERS, replace(latest, number=VersionNumber(3)), None)
    done = await work(store, queued.id)
    assert (done.target_version, done.upgraded) == (2, 3)
    assert {instance.version for instance in await instances_of(store, ORDERS)} == {2}


async def test_a_plan_that_changes_before_its_only_chunk_is_refused(store: Store) -> None:
    """The plan changes after it was checked, while the chunk waits for another writer."""
    await a_process(store, holding=instances(range(3)))
    plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=all_active()))
    async with store.transaction() as transaction:
        await transaction.instances.report(ORDERS, [a_report(1, status=Status.RUNNING)])
        task = create_task(request(store, worker=a_worker(size=9), fingerprint=str(plan.fingerprint)))
        await sleep(0.05)
    before = await everything_in(store)
    with pytest.raises(PlanChanged, match="it would upgrade 2 instead of 3, it would skip 1 instead of 0"):
        await task
    assert await everything_in(store) == before
    assert before.upgrades == []


async def test_a_plan_that_holds_is_carried_out(store: Store) -> None:
    await a_process(store, holding=[*instances(range(3)), an_instance(3, status=Status.RUNNING)])
    plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=all_active()))
    queued = await request(store, fingerprint=str(plan.fingerprint))
    assert (queued.state, queued.expected) == (UpgradeState.QUEUED, 4)
    done = await request(store, worker=a_worker(size=9), fingerprint=str(plan.fingerprint))
    assert (done.upgraded, done.skipped) == (3, 1)


async def test_a_large_request_with_an_outdated_plan_is_refused(store: Store) -> None:
    await a_process(store, holding=instances(range(5)))
    plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=all_active()))
    async with store.transaction() as transaction:
        await transaction.instances.report(ORDERS, [a_report(1, status=Status.COMPLETED)])
    async with refused(store, ErrorCode.PLAN_CHANGED, field=("fingerprint",)):
        await request(store, fingerprint=str(plan.fingerprint))
