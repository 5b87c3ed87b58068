"""Orders of linked upgrades: what chunks order, how they are sent and settled, and what that does."""

import pytest

from uplift.domain import (
    AllActive,
    OutcomeKind,
    ReasonCode,
    Selection,
    UpgradeState,
    cancel_upgrade,
    pause_upgrade,
    resume_upgrade,
)
from uplift.domain.model.decision import Verdict
from uplift.domain.model.order import NOT_SENT, OrderState, Settlement
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.selection import by_ids
from uplift.domain.ports import OutcomeFilter, Store
from uplift.testing.builders import ADMIN, EVENING, NOON, ORDERS, a_worker, an_id, at, ids_of, instances
from uplift.testing.linked_work import (
    ENGINE,
    ENGINE_REFUSED,
    MOVED_ON,
    a_linked_process,
    drop,
    found,
    orders_of,
    put_back,
    send,
    send_and_confirm,
    settle,
    versions_in,
)
from uplift.testing.stores import by_id, outcomes_of
from uplift.testing.upgrade_work import kinds_of, request, work

pytestmark = pytest.mark.anyio

ORDERED, UPGRADED, SKIPPED = OutcomeKind.ORDERED, OutcomeKind.UPGRADED, OutcomeKind.SKIPPED
FIVE = instances(range(5))
LARGE = a_worker("large")


async def test_a_linked_upgrade_orders_its_instances_and_moves_none(store: Store) -> None:
    await a_linked_process(store, holding=FIVE)
    queued = await request(store)
    assert queued.link == ENGINE
    running = await work(store, queued.id)
    assert (running.state, running.ordered, running.upgraded, running.total) == (
        UpgradeState.RUNNING,
        5,
        0,
        0,
    )
    assert await versions_in(store, ids_of(FIVE)) == [1] * 5
    assert set((await kinds_of(store, queued.id)).values()) == {ORDERED}
    assert await found(store, queued.id) == running


async def test_a_small_request_orders_in_its_own_transaction(store: Store) -> None:
    await a_linked_process(store, holding=FIVE)
    requested = await request(store, worker=LARGE)
    assert (requested.state, requested.ordered, requested.finished_at) == (UpgradeState.RUNNING, 5, None)


async def test_a_linked_upgrade_that_orders_nothing_completes(store: Store) -> None:
    await a_linked_process(store, holding=instances(range(3), version=2))
    requested = await request(store, worker=LARGE)
    assert (requested.state, requested.ordered, requested.skipped) == (UpgradeState.COMPLETED, 0, 3)
    assert await send(store) is None


async def test_a_batch_holds_orders_of_a_single_cohort(store: Store) -> None:
    here, there = instances(range(3)), instances(range(3, 5), position=at("check"))
    await a_linked_process(store, holding=[*here, *there])
    upgrade = await request(store, worker=LARGE)
    batches = [await send(store, 2), await send(store, 2), await send(store, 2), await send(store, 2)]
    sent = [batch for batch in batches if batch is not None]
    assert sorted(len(batch.orders) for batch in sent) == [1, 2, 2]
    by_instance = await by_id(store, ORDERS)
    for batch in sent:
        assert (batch.upgrade, batch.process) == (upgrade.id, ORDERS)
        assert batch.decision.verdict is Verdict.UPGRADE
        assert {by_instance[order.instance].position for order in batch.orders} == {
            batch.decision.cohort.position
        }
    assert [number for batch in sent for number in batch.numbers] == [1, 2, 3, 4, 5]
    stored = await found(store, upgrade.id)
    assert (stored.ordered, stored.sent) == (0, 5)


async def test_a_sent_order_says_all_that_an_engine_needs(store: Store) -> None:
    await a_linked_process(store, holding=instances([1]))
    upgrade = await request(store, worker=LARGE)
    batch = await send(store)
    assert batch is not None
    (order,) = batch.orders
    assert (order.number, order.upgrade, order.process) == (1, upgrade.id, ORDERS)
    assert (order.instance, order.engine_id) == (an_id(1), str(an_id(1)))
    assert (order.state, order.attempt, order.sent_at) == (OrderState.SENT, 1, NOON)
    assert (order.decision.cohort.version, order.decision.to_version) == (1, 2)
    assert await orders_of(store) == [order]


async def test_a_confirmed_order_moves_its_instance(store: Store) -> None:
    await a_linked_process(store, holding=FIVE)
    upgrade = await request(store, worker=LARGE)
    batch = await send(store, 2)
    assert batch is not None
    (settled,) = await settle(store, batch.numbers, worked=2)
    assert (settled.upgrade, settled.confirmed, settled.refusals) == (upgrade.id, 2, {})
    stored = await found(store, upgrade.id)
    assert (stored.state, stored.ordered, stored.sent, stored.upgraded) == (UpgradeState.RUNNING, 3, 0, 2)
    moved = [order.instance for order in batch.orders]
    assert await versions_in(store, moved) == [2, 2]
    kinds = await kinds_of(store, upgrade.id)
    assert [kinds[instance_id] for instance_id in moved] == [UPGRADED, UPGRADED]
    assert sorted(kinds.values()) == [ORDERED] * 3 + [UPGRADED] * 2
    assert stored.worked.total_seconds() >= 2


async def test_the_last_answer_completes_the_upgrade(store: Store) -> None:
    await a_linked_process(store, holding=FIVE)
    upgrade = await request(store, worker=LARGE)
    batch = await send(store)
    assert batch is not None
    await settle(store, batch.numbers[:4])
    assert (await found(store, upgrade.id)).state is UpgradeState.RUNNING
    await settle(store, batch.numbers[4:], MOVED_ON)
    done = await found(store, upgrade.id)
    assert (done.state, done.finished_at) == (UpgradeState.COMPLETED, EVENING)
    assert (done.upgraded, done.skipped, done.refused, done.unsettled) == (4, 1, 1, 0)


async def test_refused_orders_are_skipped_for_the_reason_of_each(store: Store) -> None:
    await a_linked_process(store, holding=FIVE)
    upgrade = await request(store, worker=LARGE)
    batch = await send(store)
    assert batch is not None
    await settle(store, batch.numbers[:2], MOVED_ON)
    await settle(store, batch.numbers[2:3], ENGINE_REFUSED)
    await settle(store, batch.numbers[3:])
    refused = {order.instance: order.refusal for order in await orders_of(store)}
    outcomes = {outcome.instance: outcome for outcome in await outcomes_of(store, upgrade.id)}
    for instance_id, refusal in refused.items():
        assert outcomes[instance_id].reasons == (() if refusal is None else (refusal,))
        assert outcomes[instance_id].kind is (UPGRADED if refusal is None else SKIPPED)
        assert outcomes[instance_id].to_version == (2 if refusal is None else 1)
    done = await found(store, upgrade.id)
    assert done.refusals == {ReasonCode.MOVED_ON: 2, ReasonCode.ENGINE_REFUSED: 1}
    skips = (await store.upgrades.skip_decisions([upgrade.id]))[upgrade.id]
    assert done.counts_by_reason(skips) == done.refusals


@pytest.mark.parametrize(
    ("which", "count"),
    [
        (OutcomeFilter(kinds=frozenset({ORDERED})), 1),
        (OutcomeFilter(kinds=frozenset({UPGRADED})), 2),
        (OutcomeFilter(kinds=frozenset({SKIPPED})), 3),
        (OutcomeFilter(reasons=frozenset({ReasonCode.MOVED_ON})), 2),
        (OutcomeFilter(kinds=frozenset({SKIPPED}), reasons=frozenset({ReasonCode.ALREADY_LATEST})), 1),
        (OutcomeFilter(kinds=frozenset({UPGRADED}), reasons=frozenset({ReasonCode.MOVED_ON})), 0),
    ],
)
@pytest.mark.parametrize("selection", [AllActive(), by_ids([*ids_of(FIVE), an_id(9)])], ids=["all", "ids"])
async def test_outcomes_are_filtered_by_what_the_engine_answered(
    store: Store, which: OutcomeFilter, count: int, selection: Selection
) -> None:
    await a_linked_process(store, holding=[*FIVE, *instances([9], version=2)])
    upgrade = await request(store, selection, worker=LARGE)
    batch = await send(store, 4)
    assert batch is not None
    await settle(store, batch.numbers[:2], MOVED_ON)
    await settle(store, batch.numbers[2:])
    assert len(await outcomes_of(store, upgrade.id, which)) == count
    skips = (await store.upgrades.skip_decisions([upgrade.id]))[upgrade.id]
    assert which.count(await found(store, upgrade.id), skips) == count


async def test_an_order_is_settled_once(store: Store) -> None:
    await a_linked_process(store, holding=FIVE)
    upgrade = await request(store, worker=LARGE)
    batch = await send(store, 2)
    assert batch is not None
    await settle(store, batch.numbers)
    before = await found(store, upgrade.id)
    assert await settle(store, batch.numbers, MOVED_ON) == []
    assert await settle(store, [*batch.numbers, 3, 99]) == [], "orders that were not sent are not settled"
    assert await found(store, upgrade.id) == before
    assert [order.state for order in await orders_of(store)] == [OrderState.CONFIRMED] * 2


async def test_of_two_answers_in_one_call_the_first_counts(store: Store) -> None:
    await a_linked_process(store, holding=instances([1]))
    await request(store, worker=LARGE)
    batch = await send(store)
    assert batch is not None
    async with store.transaction() as transaction:
        locked = await transaction.links.lock(ENGINE)
        assert locked is not None
        both = [
            Settlement(number=batch.numbers[0], refusal=MOVED_ON),
            Settlement(number=batch.numbers[0], refusal=None),
        ]
        (settled,) = await locked.orders.settle(both)
    assert settled.refusals == {ReasonCode.MOVED_ON: 1}
    assert settled.confirmed == 0


async def test_a_paused_upgrade_sends_nothing_and_still_settles(store: Store) -> None:
    await a_linked_process(store, holding=FIVE)
    upgrade = await request(store, worker=LARGE)
    batch = await send(store, 2)
    assert batch is not None
    await pause_upgrade(store, upgrade.id, caller=ADMIN)
    assert await send(store) is None
    await settle(store, batch.numbers)
    stored = await found(store, upgrade.id)
    assert (stored.state, stored.upgraded, stored.ordered) == (UpgradeState.PAUSED, 2, 3)
    resumed = await resume_upgrade(store, upgrade.id, caller=ADMIN)
    assert resumed.state is UpgradeState.RUNNING, "nothing remains for a worker to claim"
    assert await send_and_confirm(store) == 3
    assert (await found(store, upgrade.id)).state is UpgradeState.COMPLETED


async def test_a_resumed_upgrade_whose_last_answer_came_before_is_complete(store: Store) -> None:
    await a_linked_process(store, holding=FIVE)
    upgrade = await request(store, worker=LARGE)
    batch = await send(store)
    assert batch is not None
    await pause_upgrade(store, upgrade.id, caller=ADMIN)
    await settle(store, batch.numbers)
    assert (await found(store, upgrade.id)).state is UpgradeState.PAUSED
    resumed = await resume_upgrade(store, upgrade.id, caller=ADMIN)
    assert resumed.state is UpgradeState.COMPLETED
    assert resumed.finished_at is not None


async def test_a_cancelled_upgrade_drops_what_is_ordered_and_settles_what_is_sent(store: Store) -> None:
    await a_linked_process(store, holding=FIVE)
    upgrade = await request(store, worker=LARGE)
    batch = await send(store, 2)
    assert batch is not None
    await cancel_upgrade(store, upgrade.id, caller=ADMIN)
    assert await send(store) is None
    assert [await drop(store, 2), await drop(store, 2), await drop(store, 2)] == [2, 1, 0]
    await settle(store, batch.numbers)
    ended = await found(store, upgrade.id)
    assert (ended.state, ended.upgraded, ended.skipped, ended.unsettled) == (UpgradeState.CANCELLED, 2, 3, 0)
    assert ended.refusals == {ReasonCode.CANCELLED: 3}
    skipped = await outcomes_of(store, upgrade.id, OutcomeFilter(kinds=frozenset({SKIPPED})))
    assert [outcome.reasons for outcome in skipped] == [(NOT_SENT,)] * 3


async def test_the_holder_finds_orders_without_an_answer_by_cohort(store: Store) -> None:
    here, there = instances(range(3)), instances(range(3, 5), position=at("check"))
    await a_linked_process(store, holding=[*here, *there])
    await request(store, worker=LARGE)
    first, second = await send(store), await send(store)
    assert first is not None
    assert second is not None
    await settle(store, first.numbers[:1])
    async with store.transaction() as transaction:
        locked = await transaction.links.lock(ENGINE)
        assert locked is not None
        assert await locked.orders.unanswered(NOON, 10) is None, "they were sent at noon, not before"
        again = await locked.orders.unanswered(EVENING, 10)
        assert again is not None
        assert again.numbers == first.numbers[1:]
        assert again.decision == first.decision
        assert (await locked.orders.unanswered(EVENING, 1) or again).numbers == first.numbers[1:2]
        assert await locked.orders.resend(again.numbers, EVENING) == len(again.numbers)
        rest = await locked.orders.unanswered(EVENING, 10)
        assert rest is not None
        assert rest.numbers == second.numbers
        assert await locked.orders.count_unanswered(100) == 4
        assert await locked.orders.count_unanswered(3) == 3
    orders = {order.number: order for order in await orders_of(store)}
    assert {orders[number].attempt for number in again.numbers} == {2}
    assert {orders[number].sent_at for number in again.numbers} == {EVENING}
    assert await store.orders.first_unanswered(ENGINE) == first.numbers[1]


async def test_an_order_that_is_put_back_is_sent_again_with_its_number(store: Store) -> None:
    await a_linked_process(store, holding=instances(range(3)))
    upgrade = await request(store, worker=LARGE)
    batch = await send(store, 2)
    assert batch is not None
    assert await put_back(store, [1, 99]) == 1
    stored = await found(store, upgrade.id)
    assert (stored.ordered, stored.sent) == (2, 1)
    again = await send(store)
    assert again is not None
    assert sorted(again.numbers) == [1, 3]
    assert {order.number: order.attempt for order in await orders_of(store)} == {1: 2, 2: 1, 3: 1}


async def test_orders_are_listed_by_number_page_by_page(store: Store) -> None:
    await a_linked_process(store, holding=FIVE)
    await request(store, worker=LARGE)
    await send(store, 4)
    page = await store.orders.page(ENGINE, PageRequest(first=2, after=1))
    assert ([order.number for order in page.items], page.sort_keys, page.has_next) == ([2, 3], (2, 3), True)
    assert len(await orders_of(store)) == 4
