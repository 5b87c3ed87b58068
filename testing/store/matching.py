"""A selection by conditions upgrades the active instances that meet them, and no others."""

from asyncio import gather
from dataclasses import replace
from uuid import uuid4

import pytest

from uplift.domain import (
    InstanceId,
    Matching,
    Selection,
    Status,
    Upgrade,
    UpgradeState,
    VersionNumber,
    matching,
    report_instances,
    request_undo,
    upgrade_instances,
)
from uplift.domain.errors import ErrorCode, ProcessNotFound
from uplift.domain.model.idempotency import IdempotencyConflict
from uplift.domain.model.request import UndoRequest, UpgradeRequest
from uplift.domain.ports import Store
from uplift.domain.use_cases.plan import plan_upgrade
from uplift.domain.use_cases.prune import prune_outcomes
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    INVOICES,
    NOON,
    ORDERS,
    UNKNOWN_PROCESS,
    a_clock,
    a_process,
    a_report,
    a_worker,
    an_id,
    an_instance,
    at,
    ids_of,
    instances,
)
from uplift.testing.refusals import refused
from uplift.testing.stores import instances_of, outcomes_of
from uplift.testing.upgrade_work import SMALL, request, work, work_and_stop

pytestmark = pytest.mark.anyio

HELD = [
    an_instance(1, position=at("pay")),
    an_instance(2, version=2),
    an_instance(3, version=2, position=at("pay", "approve")),
    an_instance(4, status=Status.RUNNING, position=at("pay")),
    an_instance(5, status=Status.COMPLETED, position=at("pay")),
    an_instance(6, position=at("pay")),
    an_instance(7, position=at()),
    an_instance(8, version=3, position=at("pay")),
    an_instance(9, version=2, position=at("pay")),
]
EXPECTED = [
    (matching(), [1, 2, 3, 4, 6, 7, 8, 9]),
    (matching(versions=[2]), [2, 3, 9]),
    (matching(versions=[1, 3], elements=["pay"]), [1, 4, 6, 8]),
    (matching(elements=["approve", "pay"], excluded=map(an_id, [3, 5, 7, 99])), [1, 2, 4, 6, 8, 9]),
    (matching(statuses=[Status.RUNNING]), [4]),
    (matching(versions=[3], statuses=[Status.RUNNING]), []),
    (matching(limit=3), [1, 2, 3]),
    (matching(elements=["pay"], statuses=[Status.PENDING], limit=4), [1, 3, 6, 8]),
    (matching(elements=["pay"], limit=3, excluded=map(an_id, [3, 4, 7])), [1, 6, 8]),
    (matching(versions=[2], limit=100), [2, 3, 9]),
    (matching(versions=[3], statuses=[Status.RUNNING], limit=5), []),
]


async def upgrade(store: Store, selection: Selection, *, chunk_size: int = 25_000) -> Upgrade:
    return await upgrade_instances(
        store,
        UpgradeRequest(process=ORDERS, selection=selection),
        caller=ADMIN,
        worker=a_worker(str(uuid4()), size=chunk_size),
    )


async def processed(store: Store, upgrade: Upgrade) -> list[InstanceId]:
    return [outcome.instance for outcome in await outcomes_of(store, upgrade.id)]


def ids(*numbers: int) -> list[InstanceId]:
    return [an_id(number) for number in numbers]


@pytest.mark.parametrize("chunk_size", [1, 3, 25_000])
async def test_those_that_meet_the_conditions_are_upgraded_as_planned_and_no_others(
    store: Store, chunk_size: int
) -> None:
    await a_process(store, INVOICES, holding=[an_instance(20, process=INVOICES, position=at("pay"))])
    await a_process(store, published=3, holding=HELD)
    for selection, numbers in EXPECTED:
        plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=selection))
        done = await upgrade(store, selection, chunk_size=chunk_size)
        assert (done.state, done.selection) == (UpgradeState.COMPLETED, selection.kind)
        assert await processed(store, done) == ids(*numbers)
        assert (done.upgraded, done.skipped, done.excluded) == (plan.upgraded, plan.skipped, plan.excluded)
        assert await instances_of(store, ORDERS) == [
            replace(held, version=VersionNumber(3))
            if held.id in ids(*numbers) and held.status is Status.PENDING
            else held
            for held in HELD
        ]
        stored = await store.upgrades.find(done.id)
        assert stored == done
        assert stored.conditions == selection.conditions
        await request_undo(store, UndoRequest(upgrade_id=done.id), caller=ADMIN, worker=a_worker())
        assert await instances_of(store, ORDERS) == HELD


async def test_without_a_limit_those_count_that_meet_the_conditions_when_the_upgrade_comes_to_them(
    store: Store,
) -> None:
    await a_process(store, holding=[*instances([1, 2, 3, 4]), *instances([5, 6], position=at("pay"))])
    queued = await request(store, matching(elements=["approve"]))
    await work_and_stop(store, queued.id, chunks=1)
    # The first two are done. One of the others leaves the element, and one comes to it.
    moved = [a_report(1, position=at("pay")), a_report(3, position=at("pay")), a_report(6)]
    await report_instances(store, reports=moved, caller=ADMIN)
    done = await work(store, queued.id)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 4)
    assert await processed(store, done) == ids(1, 2, 4, 6)


async def test_a_limit_fixes_the_instances_when_the_upgrade_is_requested(store: Store) -> None:
    await a_process(store, holding=[*instances([1, 2], position=at("pay")), *instances([3, 4, 5, 6, 7])])
    queued = await request(store, matching(elements=["approve"], limit=4))
    assert (queued.state, queued.expected) == (UpgradeState.QUEUED, 4)
    moved = [a_report(1), a_report(2), a_report(5, position=at("pay")), a_report(6, status=Status.COMPLETED)]
    await report_instances(store, reports=moved, caller=ADMIN)
    done = await work(store, queued.id)
    assert (done.upgraded, done.skipped) == (3, 1)
    assert await processed(store, done) == ids(3, 4, 5, 6)


@pytest.mark.parametrize("limit", [None, 17])
async def test_several_workers_process_each_instance_once(store: Store, limit: int | None) -> None:
    held = [an_instance(n, position=at("pay" if n % 3 else "approve")) for n in range(60)]
    await a_process(store, holding=held)
    queued = await request(store, matching(elements=["pay"], limit=limit))
    workers = [a_worker(f"{n}", size=3) for n in range(3)]
    divided = [
        replace(worker, chunk_policy=replace(worker.chunk_policy, partition_size=10)) for worker in workers
    ]
    ends = await gather(*(finish_upgrade(store, queued, worker) for worker in divided))
    waiting = [instance.id for instance in held if instance.position == at("pay")]
    assert await processed(store, queued) == waiting[:limit]
    assert {(done.upgraded, done.skipped) for done in ends} == {(limit or 40, 0)}


async def test_few_among_many_are_left_to_a_worker(store: Store) -> None:
    await a_process(store, holding=[*instances(range(9)), an_instance(9, position=at("pay"))])
    queued = await request(store, matching(elements=["pay"]), worker=SMALL)
    assert (queued.state, queued.expected) == (UpgradeState.QUEUED, 1)
    # A limit needs no search in chunks, so its few instances are upgraded at once.
    first = await request(store, matching(elements=["pay"], limit=2), worker=SMALL)
    assert (first.state, first.upgraded) == (UpgradeState.COMPLETED, 1)
    done = await work(store, queued.id)
    assert (done.state, done.total) == (UpgradeState.COMPLETED, 1)


async def test_a_plan_is_carried_out_or_refused_when_it_has_changed(store: Store) -> None:
    await a_process(store, holding=instances(range(6)))
    first = UpgradeRequest(process=ORDERS, selection=matching(limit=3, excluded=[an_id(1)]))
    fingerprint = str((await plan_upgrade(store, first)).fingerprint)
    done = await upgrade_instances(store, replace(first, fingerprint=fingerprint), caller=ADMIN)
    assert (done.upgraded, done.excluded) == (3, 1)
    assert await processed(store, done) == ids(0, 2, 3)
    async with refused(store, ErrorCode.PLAN_CHANGED) as error:
        await upgrade_instances(store, replace(first, fingerprint=fingerprint), caller=ADMIN)
    assert "it would upgrade 0 instead of 3" in error.value.message


@pytest.mark.parametrize(
    ("selection", "message", "field"),
    [
        (
            matching(versions=[1, 4, 9]),
            "Expected versions to be of process crm/orders, but it has no version 4.",
            "selection.matching.versions",
        ),
        (
            matching(elements=["pay", "aprove"]),
            "Expected elements to be in a version of process crm/orders, but none has an element 'aprove'.",
            "selection.matching.elements",
        ),
    ],
    ids=["version", "element"],
)
async def test_a_version_or_element_that_does_not_exist_is_refused(
    store: Store, selection: Matching, message: str, field: str
) -> None:
    await a_process(store, published=3, holding=HELD)
    async with refused(store, ErrorCode.INVALID_SELECTION, message, (field,)):
        await request(store, selection)
    async with refused(store, ErrorCode.INVALID_SELECTION, message, (field,)):
        await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=selection))


async def test_a_process_that_does_not_exist_is_not_found(store: Store) -> None:
    with pytest.raises(ProcessNotFound):
        await request(store, matching(versions=[1]), process=UNKNOWN_PROCESS)


async def test_the_same_key_with_other_conditions_is_a_conflict(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    first = await request(store, matching(versions=[1], limit=2), idempotency_key="one")
    assert await request(store, matching(versions=[1, 1], limit=2), idempotency_key="one") == first
    for other in (matching(versions=[1], limit=1), matching(versions=[1, 2], limit=2), matching(limit=2)):
        with pytest.raises(IdempotencyConflict):
            await request(store, other, idempotency_key="one")


@pytest.mark.parametrize("selection", [matching(versions=[1]), matching(limit=2)], ids=["all", "limited"])
async def test_its_outcomes_can_be_undone_and_pruned(store: Store, selection: Matching) -> None:
    held = instances([3, 1, 2])
    await a_process(store, holding=held)
    done = await upgrade(store, selection)
    count = selection.conditions.limit or 3
    undo = UndoRequest(upgrade_id=done.id)
    undone = await request_undo(store, undo, caller=ADMIN, worker=a_worker())
    assert (done.upgraded, undone.upgraded) == (count, count)
    assert await processed(store, done) == await processed(store, undone) == ids_of(held)[:count]
    assert await instances_of(store, ORDERS) == held
    assert done.finished_at == NOON
    assert await prune_outcomes(store, before=EVENING, clock=a_clock(EVENING)) == 2 * count
    assert await processed(store, done) == []
