"""What follows a linked upgrade, and what waits for it."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from uplift.domain import (
    AllActive,
    ErrorCode,
    InstanceId,
    InvalidInput,
    OutcomeKind,
    ReasonCode,
    SelectionKind,
    Status,
    Upgrade,
    UpgradeState,
    VersionNumber,
    VersionState,
    cancel_upgrade,
    claim,
    pause_upgrade,
    prune_outcomes,
    publish_version,
    register_instances,
    report_instances,
    request_retry,
    request_undo,
    resume_upgrade,
    save_draft,
)
from uplift.domain.model.decision import SkipReason
from uplift.domain.model.link import LinkKind
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.selection import by_ids
from uplift.domain.model.upgrade import RATED_FROM
from uplift.domain.ports import Store
from uplift.domain.use_cases.plan import PlanChanged, plan_upgrade
from uplift.domain.use_cases.versions import adopt_version
from uplift.testing.builders import (
    ADMIN,
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
    at,
    ids_of,
    instances,
)
from uplift.testing.linked_work import (
    ENGINE,
    ENGINE_REFUSED,
    MOVED_ON,
    a_linked_process,
    drop,
    found,
    orders_of,
    send,
    send_and_confirm,
    settle,
    versions_in,
)
from uplift.testing.refusals import refused
from uplift.testing.stores import by_id, outcomes_of
from uplift.testing.upgrade_work import kinds_of, request, work

pytestmark = pytest.mark.anyio

ORDERED, UPGRADED, SKIPPED = OutcomeKind.ORDERED, OutcomeKind.UPGRADED, OutcomeKind.SKIPPED
LARGE = a_worker("large")
SIX = instances(range(6))


async def an_answered_upgrade(store: Store, *, refusal: SkipReason = MOVED_ON) -> Upgrade:
    """An upgrade of SIX of which the engine confirmed four orders and refused two."""
    await a_linked_process(store, holding=SIX)
    upgrade = await request(store, worker=LARGE)
    batch = await send(store)
    assert batch is not None
    await settle(store, batch.numbers[:4])
    await settle(store, batch.numbers[4:], refusal)
    return await found(store, upgrade.id)


async def of_kind(store: Store, upgrade: Upgrade, kind: OutcomeKind) -> set[InstanceId]:
    return {key for key, found_kind in (await kinds_of(store, upgrade.id)).items() if found_kind is kind}


@pytest.mark.parametrize("refusal", [MOVED_ON, ENGINE_REFUSED])
async def test_a_retry_orders_refused_instances_again(store: Store, refusal: SkipReason) -> None:
    earlier = await an_answered_upgrade(store, refusal=refusal)
    skipped = await of_kind(store, earlier, SKIPPED)
    other = {MOVED_ON: ENGINE_REFUSED, ENGINE_REFUSED: MOVED_ON}[refusal]
    nothing = RetryRequest(upgrade_id=earlier.id, reasons=frozenset({other.code}))
    assert (await request_retry(store, nothing, caller=ADMIN, worker=LARGE)).total == 0
    again = RetryRequest(upgrade_id=earlier.id, reasons=frozenset({refusal.code}))
    retry = await request_retry(store, again, caller=ADMIN, worker=LARGE)
    assert (retry.expected, retry.ordered, retry.link) == (2, 2, ENGINE)
    assert await of_kind(store, retry, ORDERED) == skipped
    assert await send_and_confirm(store) == 2
    assert await versions_in(store, ids_of(SIX)) == [2] * 6


async def test_a_retry_orders_what_a_cancelled_upgrade_dropped(store: Store) -> None:
    await a_linked_process(store, holding=SIX)
    upgrade = await request(store, worker=LARGE)
    await cancel_upgrade(store, upgrade.id, caller=ADMIN)
    again = RetryRequest(upgrade_id=upgrade.id, reasons=frozenset({ReasonCode.CANCELLED}))
    with pytest.raises(InvalidInput, match="6 of its orders are unsettled"):
        await request_retry(store, again, caller=ADMIN, worker=LARGE)
    assert await drop(store) == 6
    retry = await request_retry(store, again, caller=ADMIN, worker=LARGE)
    assert retry.ordered == 6


async def test_an_undo_orders_the_way_back_of_confirmed_instances_only(store: Store) -> None:
    earlier = await an_answered_upgrade(store)
    moved = await of_kind(store, earlier, UPGRADED)
    undo = await request_undo(store, UndoRequest(upgrade_id=earlier.id), caller=ADMIN, worker=LARGE)
    assert (undo.selection, undo.link, undo.expected, undo.ordered) == (SelectionKind.UNDO, ENGINE, 4, 4)
    assert await of_kind(store, undo, ORDERED) == moved
    batch = await send(store)
    assert batch is not None
    assert (batch.decision.cohort.version, batch.decision.to_version) == (2, 1)
    await settle(store, batch.numbers)
    assert await versions_in(store, ids_of(SIX)) == [1] * 6
    assert (await found(store, undo.id)).state is UpgradeState.COMPLETED


async def test_outcomes_with_unsettled_orders_are_not_undone(store: Store) -> None:
    await a_linked_process(store, holding=SIX)
    upgrade = await request(store, worker=LARGE)
    await send(store, 2)
    await cancel_upgrade(store, upgrade.id, caller=ADMIN)
    with pytest.raises(InvalidInput, match="6 of its orders are unsettled"):
        await request_undo(store, UndoRequest(upgrade_id=upgrade.id), caller=ADMIN, worker=LARGE)


async def test_the_history_of_an_instance_says_what_the_engine_answered(store: Store) -> None:
    earlier = await an_answered_upgrade(store)
    outcomes = {outcome.instance: outcome for outcome in await outcomes_of(store, earlier.id)}
    histories = await store.instances.histories(ids_of(SIX))
    assert {key: entries[0].outcome for key, entries in histories.items()} == outcomes
    assert sum(outcome.reasons == (MOVED_ON,) for outcome in outcomes.values()) == 2


async def test_orders_are_pruned_with_their_outcomes(store: Store) -> None:
    earlier = await an_answered_upgrade(store)
    later = EVENING + timedelta(days=1)
    assert await prune_outcomes(store, before=later) == 6
    assert await orders_of(store) == []
    assert await outcomes_of(store, earlier.id) == []
    kept = await found(store, earlier.id)
    assert kept.refusals == {ReasonCode.MOVED_ON: 2}, "counts stay"


async def test_outcomes_with_unsettled_orders_are_not_pruned(store: Store) -> None:
    await a_linked_process(store, holding=SIX)
    upgrade = await request(store, worker=LARGE)
    await send(store, 2)
    await cancel_upgrade(store, upgrade.id, caller=ADMIN, clock=a_clock())
    assert await prune_outcomes(store, before=EVENING) == 0
    await drop(store)
    await settle(store, [1, 2])
    assert await prune_outcomes(store, before=EVENING) == 6


async def test_an_instance_that_was_reported_elsewhere_keeps_its_position(store: Store) -> None:
    await a_linked_process(store, holding=instances(range(3)))
    await request(store, worker=LARGE)
    batch = await send(store)
    assert batch is not None
    async with store.transaction() as transaction:
        reports = [a_report(0, position=at("check")), a_report(1, status=Status.COMPLETED)]
        await transaction.instances.report(ORDERS, reports)
    await settle(store, batch.numbers)
    known = await by_id(store, ORDERS)
    assert [known[an_id(number)].version for number in range(3)] == [2, 2, 2]
    assert known[an_id(0)].position == at("check")
    assert known[an_id(1)].status is Status.COMPLETED


async def test_a_linked_upgrade_holds_up_others_of_its_process_only(store: Store) -> None:
    await a_linked_process(store, holding=SIX)
    await a_process(store, INVOICES, published=2, holding=instances(range(10, 14), process=INVOICES))
    waiting = await request(store, worker=LARGE)
    held_up = await request(store, by_ids([an_id(0)]), worker=LARGE)
    other = await request(store, process=INVOICES)
    assert held_up.state is UpgradeState.QUEUED, "its instance may have an order"
    assert await claim(store, LARGE, only=held_up.id) is None
    claimed = await claim(store, LARGE)
    assert claimed is not None
    assert claimed.id == other.id
    assert await send_and_confirm(store) == 6
    done = await work(store, held_up.id, LARGE)
    assert (done.state, done.skipped) == (UpgradeState.COMPLETED, 1), "it is on the latest version already"
    assert (await found(store, waiting.id)).state is UpgradeState.COMPLETED


async def test_a_paused_upgrade_holds_up_no_other_once_its_sent_orders_are_answered(store: Store) -> None:
    await a_linked_process(store, holding=SIX)
    paused = await request(store, worker=LARGE)
    await send(store, 2)
    await pause_upgrade(store, paused.id, caller=ADMIN)
    second = await request(store, worker=LARGE)
    assert await claim(store, LARGE, only=second.id) is None
    await settle(store, [1, 2])
    running = await work(store, second.id, LARGE)
    assert (running.ordered, running.skipped) == (4, 2)
    assert await send_and_confirm(store) == 4
    await resume_upgrade(store, paused.id, caller=ADMIN)
    batch = await send(store)
    assert batch is not None
    assert batch.upgrade == paused.id
    await settle(store, batch.numbers, MOVED_ON)
    assert await versions_in(store, ids_of(SIX)) == [2] * 6


async def test_the_rates_of_linked_upgrades_and_of_others_are_measured_apart(store: Store) -> None:
    count = RATED_FROM
    await a_linked_process(store, holding=instances(range(count)))
    await request(store, worker=a_worker("huge", size=2 * count))
    assert await store.upgrades.measured_rate(ENGINE) is None
    batch = await send(store, count)
    assert batch is not None
    await settle(store, batch.numbers, worked=50)
    rate = await store.upgrades.measured_rate(ENGINE)
    assert rate is not None
    assert rate <= count / 50
    assert await store.upgrades.measured_rate() is None


async def test_ordered_instances_are_those_that_the_plan_would_upgrade(store: Store) -> None:
    await a_linked_process(store, holding=[*SIX, *instances([9], version=2)])
    plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=AllActive()))
    requested = await request(store, worker=LARGE, fingerprint=str(plan.fingerprint))
    assert (requested.ordered, requested.skipped) == (plan.upgraded, plan.skipped) == (6, 1)
    with pytest.raises(PlanChanged):
        await request(store, by_ids([an_id(0)]), worker=LARGE, fingerprint=str(plan.fingerprint))


async def test_several_workers_order_each_instance_once(store: Store) -> None:
    await a_linked_process(store, holding=SIX)
    upgrade = await request(store)
    await work(store, upgrade.id)
    numbers: list[int] = []
    while (batch := await send(store, 4)) is not None:
        numbers += batch.numbers
        assert {order.sent_at for order in batch.orders} == {NOON}
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert len({order.instance for order in await orders_of(store)}) == 6


WRITES: dict[str, Callable[[Store], Awaitable[object]]] = {
    "save a draft": lambda store: save_draft(store, process=ORDERS, model=None, caller=ADMIN),
    "publish a version": lambda store: publish_version(store, process=ORDERS, caller=ADMIN),
    "add a version": lambda store: adopt_version(
        store,
        process=ORDERS,
        number=VersionNumber(9),
        state=VersionState.PUBLISHED,
        model=None,
        caller=ADMIN,
    ),
    "register instances": lambda store: register_instances(
        store, process=ORDERS, instances=[an_instance(50)], caller=ADMIN
    ),
    "report instances": lambda store: report_instances(
        store, reports=[a_report(20), a_report(0)], caller=ADMIN
    ),
}


@pytest.mark.parametrize("attempt", WRITES)
async def test_versions_and_instances_of_a_linked_process_come_from_its_engine(
    store: Store, attempt: str
) -> None:
    await a_linked_process(store, holding=SIX)
    await a_process(store, INVOICES, holding=[an_instance(20, process=INVOICES)])
    message = (
        f"Expected to {attempt}, but process 'crm/orders' runs in a linked engine, "
        "from which its versions and instances come."
    )
    async with refused(store, ErrorCode.LINKED, message, ()):
        await WRITES[attempt](store)


async def test_an_engine_that_pulls_reports_its_own_versions_and_instances(store: Store) -> None:
    await a_linked_process(store, holding=SIX, kind=LinkKind.PULL)
    await a_process(store, INVOICES, holding=[an_instance(20, process=INVOICES)])
    for write in WRITES.values():
        await write(store)
    process = await store.processes.find(ORDERS)
    assert process is not None
    assert process.latest_published == 9
    assert len(await by_id(store, ORDERS)) == 7
