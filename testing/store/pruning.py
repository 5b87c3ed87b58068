"""Outcomes are pruned by age, and only by an operator; the counts of their upgrades stay."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from uplift.domain import (
    Instance,
    OutcomeKind,
    ReasonCode,
    Selection,
    Status,
    Upgrade,
    UpgradeState,
    cancel_upgrade,
    register_instances,
    request_retry,
    request_undo,
)
from uplift.domain.errors import ErrorCode
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.request import RetryRequest, UndoRequest
from uplift.domain.model.selection import all_active, by_ids
from uplift.domain.ports import OutcomeFilter, Store
from uplift.domain.use_cases.prune import prune_outcomes
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    NOON,
    ORDERS,
    a_clock,
    a_process,
    a_worker,
    an_id,
    an_instance,
    at,
    instances,
)
from uplift.testing.refusals import refused
from uplift.testing.stores import a_transaction_that_fails, everything_in, instances_of, outcomes_of
from uplift.testing.upgrade_work import SMALL, request, work, work_and_die

pytestmark = pytest.mark.anyio

LARGE = a_worker("large", size=1_000)
A_MOMENT = timedelta(microseconds=1)
LATER = EVENING + timedelta(days=1)

BOTH_WAYS = pytest.mark.parametrize(
    "selection", [all_active([an_id(1)]), by_ids(map(an_id, [5, 9, 2, 0, 8]))], ids=["all active", "by ids"]
)


async def prune(store: Store, before: datetime = LATER) -> int:
    return await prune_outcomes(store, before=before, clock=a_clock(LATER))


async def register(store: Store, *new: Instance) -> None:
    await register_instances(store, process=ORDERS, instances=new, caller=ADMIN)


async def a_finished_upgrade(store: Store, selection: Selection) -> Upgrade:
    """Five outcomes, three of them of instances that were moved or none was."""
    await a_process(store, holding=[*instances(range(5)), an_instance(5, status=Status.RUNNING)])
    return await request(store, selection, worker=LARGE)


@BOTH_WAYS
async def test_outcomes_are_pruned_and_counts_stay(store: Store, selection: Selection) -> None:
    done = await a_finished_upgrade(store, selection)
    before = await everything_in(store)
    assert len(before.outcomes[done.id]) == done.total == 5
    assert await prune(store) == 5
    after = await everything_in(store)
    assert after.upgrades == [replace(done, pruned_at=LATER)]
    assert after.outcomes == {done.id: []}
    assert after.decisions == before.decisions
    assert after.instances == before.instances
    assert await store.instances.histories([an_id(0)]) == {an_id(0): ()}


async def test_only_upgrades_finished_before_the_time_are_pruned(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    at_noon = await request(store, worker=LARGE)
    in_the_evening = await request(store, worker=a_worker("late", clock=a_clock(EVENING)))
    assert await prune(store, before=NOON) == 0
    assert await prune(store, before=NOON + A_MOMENT) == 3
    assert await prune(store, before=EVENING) == 0
    assert [len(await outcomes_of(store, upgrade.id)) for upgrade in (at_noon, in_the_evening)] == [0, 3]
    assert await prune(store, before=EVENING + A_MOMENT) == 3
    assert await prune(store, before=EVENING + A_MOMENT) == 0


async def test_an_unfinished_upgrade_keeps_its_outcomes(store: Store) -> None:
    await a_process(store, holding=instances(range(5)))
    queued = await request(store)
    crashed = await work_and_die(store, queued.id, chunks=1)
    assert await prune(store) == 0
    assert await store.upgrades.find(queued.id) == crashed
    assert len(await outcomes_of(store, queued.id)) == 2
    done = await work(store, queued.id, a_worker("other", size=2, clock=a_clock(EVENING)))
    assert await prune(store) == done.total == 5


@BOTH_WAYS
async def test_of_a_cancelled_upgrade_only_what_it_did_is_counted(store: Store, selection: Selection) -> None:
    await a_process(store, holding=[*instances(range(5)), an_instance(5, status=Status.RUNNING)])
    queued = await request(store, selection)
    crashed = await work_and_die(store, queued.id, chunks=1)
    await cancel_upgrade(store, queued.id, caller=ADMIN, clock=a_clock())
    assert len((await store.partitions.remaining([queued.id]))[queued.id]) == 1
    assert await prune(store) == crashed.total
    assert await outcomes_of(store, queued.id) == []
    assert await store.partitions.remaining([queued.id]) == {queued.id: ()}


async def test_an_upgrade_that_did_nothing_is_marked_once(store: Store) -> None:
    await a_process(store)
    done = await request(store)
    assert await prune(store) == 0
    marked = await store.upgrades.find(done.id)
    assert marked == replace(done, pruned_at=LATER)
    await prune_outcomes(store, before=LATER, clock=a_clock(LATER + A_MOMENT))
    assert await store.upgrades.find(done.id) == marked


@BOTH_WAYS
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
async def test_outcomes_are_pruned_in_steps_from_the_first_on(
    store: Store, selection: Selection, size: int
) -> None:
    done = await a_finished_upgrade(store, selection)
    listed = await outcomes_of(store, done.id)
    gone = 0
    while gone < 5:
        async with store.transaction() as transaction:
            [old] = await transaction.upgrades.lock_prunable(LATER, 10)
            assert old.upgrade.id == done.id
            gone += await old.prune_outcomes(size)
            await old.save(replace(old.upgrade, pruned_at=LATER))
        assert await outcomes_of(store, done.id) == listed[gone:]
        which = OutcomeFilter(kinds=frozenset({OutcomeKind.UPGRADED}))
        assert await outcomes_of(store, done.id, which) == [
            outcome for outcome in listed[gone:] if outcome.kind is OutcomeKind.UPGRADED
        ]
    assert gone == 5
    async with store.transaction() as transaction:
        assert await transaction.upgrades.lock_prunable(LATER, 10) == ()


async def test_a_step_that_is_rolled_back_prunes_nothing(store: Store) -> None:
    await a_finished_upgrade(store, all_active())
    before = await everything_in(store)
    async with a_transaction_that_fails(store) as transaction:
        [old] = await transaction.upgrades.lock_prunable(LATER, 10)
        await old.prune_outcomes(2)
        await old.save(replace(old.upgrade, pruned_at=LATER))
    assert await everything_in(store) == before


@BOTH_WAYS
async def test_pruning_continues_where_it_was_interrupted(store: Store, selection: Selection) -> None:
    done = await a_finished_upgrade(store, selection)
    async with store.transaction() as transaction:
        [old] = await transaction.upgrades.lock_prunable(LATER, 10)
        await old.prune_outcomes(2)
        await old.save(replace(old.upgrade, pruned_at=EVENING))
    async with refused(store, ErrorCode.INVALID_INPUT, field=("upgrade_id",)):
        await request_undo(store, UndoRequest(upgrade_id=done.id), caller=ADMIN, worker=LARGE)
    assert await prune(store) == 3
    assert await outcomes_of(store, done.id) == []
    assert await store.upgrades.find(done.id) == replace(done, pruned_at=EVENING)


async def test_the_oldest_upgrades_come_first(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    done = [await request(store, by_ids([an_id(n)]), worker=LARGE) for n in range(3)]
    async with store.transaction() as transaction:
        prunable = await transaction.upgrades.lock_prunable(LATER, 2)
        assert [locked.upgrade for locked in prunable] == done[:2]


@pytest.mark.parametrize("what", ["retry", "undo"])
async def test_an_upgrade_keeps_its_outcomes_while_it_is_retried_or_undone(store: Store, what: str) -> None:
    """Without them the retry or undo would silently lose the rest of its instances."""
    held = [an_instance(n, status=Status.RUNNING if what == "retry" else Status.PENDING) for n in range(5)]
    await a_process(store, holding=held)
    first = await request(store, worker=LARGE)
    if what == "retry":
        reasons = frozenset({ReasonCode.NOT_PENDING})
        follower = await request_retry(
            store, RetryRequest(upgrade_id=first.id, reasons=reasons), caller=ADMIN, worker=SMALL
        )
    else:
        follower = await request_undo(store, UndoRequest(upgrade_id=first.id), caller=ADMIN, worker=SMALL)
    assert await prune(store) == 0
    await work_and_die(store, follower.id, chunks=1)
    assert await prune(store) == 0
    done = await work(store, follower.id, a_worker("other", size=2, clock=a_clock(EVENING)))
    assert (done.state, done.total) == (UpgradeState.COMPLETED, 5)
    assert await prune(store) == 10
    assert await instances_of(store, ORDERS) == held


async def test_a_pruned_upgrade_is_still_listed(store: Store) -> None:
    done = await a_finished_upgrade(store, all_active())
    await prune(store)
    page = await store.upgrades.page(ORDERS, PageRequest(first=5))
    assert page.items == (replace(done, pruned_at=LATER),)
    skips = (await store.upgrades.skip_decisions([done.id]))[done.id]
    assert [(counted.count, [reason.code for reason in counted.decision.reasons]) for counted in skips] == [
        (1, [ReasonCode.NOT_PENDING])
    ]


async def test_prunes_positions_that_nobody_has_and_no_others(store: Store) -> None:
    await a_finished_upgrade(store, all_active())
    moved = an_instance(6, position=at("first"))
    await register(store, moved)
    for element in ("second", "third", "fourth"):
        await register(store, replace(moved, position=at(element)))
    before = await everything_in(store)

    await prune(store, before=NOON)

    assert await everything_in(store) == before
    # A pruned position can be had again, by its old instance and by a new one.
    again = [replace(moved, position=at("second")), an_instance(7, position=at("first"))]
    await register(store, *again)
    found = await store.instances.find_many([instance.id for instance in again])
    assert list(found.values()) == again
