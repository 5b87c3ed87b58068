"""Laws of orders, for every store and every sequence of sends, answers, faults and changes of state.

The engine of these tests checks the source of a move, as Camunda 7 does, so its own versions are the truth.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.long_mode import IS_LONG
from tests.support.stores import STORES, Stores
from uplift.domain import (
    InstanceId,
    OutcomeKind,
    ReasonCode,
    Upgrade,
    UpgradeState,
    cancel_upgrade,
    pause_upgrade,
    request_retry,
    request_undo,
    resume_upgrade,
)
from uplift.domain.errors import InvalidInput, WrongState
from uplift.domain.model.order import Order, OrderBatch, OrderNumber, OrderState
from uplift.domain.model.request import RetryRequest, UndoRequest
from uplift.domain.model.selection import AllActive, by_ids
from uplift.domain.model.upgrade import SENDING
from uplift.domain.ports import Store
from uplift.domain.use_cases.request import RETRIABLE_REASONS
from uplift.testing.builders import ADMIN, NOON, ORDERS, MovableClock, a_worker, an_id, at, instances
from uplift.testing.linked_work import (
    ENGINE,
    MOVED_ON,
    a_linked_process,
    drop,
    orders_of,
    put_back,
    send,
    settle,
)
from uplift.testing.stores import by_id, outcomes_of, require_right_counts, upgrades_of
from uplift.testing.upgrade_work import request, work_and_die

pytestmark = pytest.mark.anyio

ON_EVERY_STORE = pytest.mark.parametrize("kind", STORES)
EXAMPLES = settings(max_examples=150 if IS_LONG else 10)
HELD = [*instances(range(5)), *instances(range(5, 8), position=at("check")), *instances([8], version=2)]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "request some",
                "request all",
                "work",
                "send",
                "send",
                "send and lose the request",
                "send and lose the answer",
                "answer",
                "answer twice",
                "answer backwards",
                "check",
                "pause",
                "resume",
                "cancel",
                "drop",
                "undo",
                "retry",
                "move elsewhere",
            ]
        ),
        st.integers(1, 4),
    ),
    min_size=4,
    max_size=24,
)


@dataclass
class Engine:
    """The versions of the instances where they run, and answers that nobody has settled yet."""

    versions: dict[InstanceId, int]
    answers: list[tuple[OrderNumber, bool]] = field(default_factory=list)
    moved_elsewhere: set[InstanceId] = field(default_factory=set)

    def move(self, orders: Iterable[Order]) -> list[tuple[OrderNumber, bool]]:
        """Move those instances that are on the source version; say of each whether it moved."""
        answers = []
        for order in orders:
            is_there = self.versions[order.instance] == order.decision.cohort.version
            if is_there:
                assert order.decision.to_version is not None
                self.versions[order.instance] = order.decision.to_version
            answers.append((order.number, is_there))
        return answers


async def settle_answers(store: Store, answers: Iterable[tuple[OrderNumber, bool]]) -> None:
    for number, is_moved in answers:
        await settle(store, [number], None if is_moved else MOVED_ON)


async def check(store: Store, engine: Engine, clock: MovableClock) -> None:
    """What a new holder of the link does first: look where the instances of unanswered orders are."""
    clock.advance(seconds=1)
    while (batch := await unanswered(store, clock)) is not None:
        upgrade = await store.upgrades.find(batch.upgrade)
        assert upgrade is not None
        for order in batch.orders:
            version = engine.versions[order.instance]
            if version == order.decision.to_version:
                await settle(store, [order.number])
            elif version != order.decision.cohort.version:
                await settle(store, [order.number], MOVED_ON)
            elif upgrade.state in SENDING:
                async with store.transaction() as transaction:
                    locked = await transaction.links.lock(ENGINE)
                    assert locked is not None
                    assert await locked.orders.resend([order.number], clock()) == 1
                await settle_answers(store, engine.move([order]))
            else:
                assert await put_back(store, [order.number]) == 1


async def unanswered(store: Store, clock: MovableClock) -> OrderBatch | None:
    async with store.transaction() as transaction:
        locked = await transaction.links.lock(ENGINE)
        assert locked is not None
        return await locked.orders.unanswered(clock(), 3)


async def take(store: Store, step: str, size: int, engine: Engine, clock: MovableClock) -> None:
    """Take one step; what the state of an upgrade does not allow changes nothing."""
    upgrades = await upgrades_of(store)
    newest = upgrades[0] if upgrades else None
    match step:
        case "request some":
            await request(store, by_ids(map(an_id, range(size, size + 4))), worker=a_worker(size=size + 3))
        case "request all":
            await request(store, AllActive(), worker=a_worker(size=size))
        case "work":
            worker = a_worker(f"worker {clock()}", size=size, clock=clock)
            clock.advance(seconds=11)
            if (found := await store.upgrades.claimable(clock())) is not None:
                await work_and_die(store, found.id, worker, chunks=1)
        case "send" | "send and lose the request" | "send and lose the answer":
            batch = await send(store, size, at=clock())
            if batch is not None and step != "send and lose the request":
                answers = engine.move(batch.orders)
                engine.answers += answers if step == "send" else []
        case "answer" | "answer twice" | "answer backwards":
            answers = engine.answers[::-1] if step == "answer backwards" else engine.answers
            for _ in range(2 if step == "answer twice" else 1):
                await settle_answers(store, answers)
            engine.answers = []
        case "check":
            await check(store, engine, clock)
            # Answers that arrive after a check change nothing.
            await settle_answers(store, engine.answers)
            engine.answers = []
        case "drop":
            await drop(store, size)
        case "move elsewhere":
            engine.versions[an_id(size)] = 2
            engine.moved_elsewhere.add(an_id(size))
        case _ if newest is not None:
            await control(store, step, newest)


async def control(store: Store, step: str, upgrade: Upgrade) -> None:
    worker = a_worker(size=3)
    try:
        match step:
            case "pause":
                await pause_upgrade(store, upgrade.id, caller=ADMIN)
            case "resume":
                await resume_upgrade(store, upgrade.id, caller=ADMIN)
            case "cancel":
                await cancel_upgrade(store, upgrade.id, caller=ADMIN)
            case "undo":
                await request_undo(store, UndoRequest(upgrade_id=upgrade.id), caller=ADMIN, worker=worker)
            case "retry":
                again = RetryRequest(upgrade_id=upgrade.id, reasons=RETRIABLE_REASONS)
                await request_retry(store, again, caller=ADMIN, worker=worker)
    except (InvalidInput, WrongState):
        pass  # the state does not allow it


async def finish(store: Store, engine: Engine, clock: MovableClock) -> None:
    """Resume what is paused, and run, send, answer and drop until nothing is left."""
    for upgrade in await upgrades_of(store):
        if upgrade.state is UpgradeState.PAUSED:
            await resume_upgrade(store, upgrade.id, caller=ADMIN)
    await check(store, engine, clock)
    worker = a_worker("the last worker", size=3, clock=clock)
    for _ in range(1_000):
        clock.advance(seconds=11)
        if (batch := await send(store, 3, at=clock())) is not None:
            await settle_answers(store, engine.move(batch.orders))
        elif await drop(store, 2) == 0:
            if (found := await store.upgrades.claimable(clock())) is None:
                return
            await work_and_die(store, found.id, worker, chunks=1)
    raise AssertionError("the upgrades do not end")


async def require_true_counts(store: Store) -> None:
    """The counts of each upgrade are those of its rows, and numbers have no gap."""
    orders = await orders_of(store)
    assert [order.number for order in orders] == list(range(1, len(orders) + 1))
    upgrades = await upgrades_of(store)
    skips = await store.upgrades.skip_decisions([upgrade.id for upgrade in upgrades])
    for upgrade in upgrades:
        outcomes = await outcomes_of(store, upgrade.id)
        assert len({outcome.instance for outcome in outcomes}) == len(outcomes)
        kinds = Counter(outcome.kind for outcome in outcomes)
        assert kinds[OutcomeKind.UPGRADED] == upgrade.upgraded
        assert kinds[OutcomeKind.SKIPPED] == upgrade.skipped
        assert kinds[OutcomeKind.ORDERED] == upgrade.unsettled
        sent = [order for order in orders if order.upgrade == upgrade.id and order.state is OrderState.SENT]
        assert len(sent) == upgrade.sent
        reasons: Counter[ReasonCode] = Counter(
            reason.code for outcome in outcomes for reason in outcome.reasons
        )
        assert dict(upgrade.counts_by_reason(skips[upgrade.id])) == dict(reasons)


@ON_EVERY_STORE
@EXAMPLES
@given(steps=STEPS)
async def test_each_instance_moves_once_whatever_happens_to_its_orders(
    stores: Stores, kind: str, steps: list[tuple[str, int]]
) -> None:
    clock = MovableClock(NOON + timedelta(hours=1))
    engine = Engine({instance.id: instance.version for instance in HELD})
    async with stores.empty(kind) as store:
        await a_linked_process(store, holding=HELD)
        await request(store, worker=a_worker(size=3))
        for step, size in steps:
            clock.advance(seconds=1)
            await take(store, step, size, engine, clock)
        await require_true_counts(store)
        await require_right_counts(store)
        await finish(store, engine, clock)
        await require_true_counts(store)
        await require_right_counts(store)
        assert all(upgrade.is_finished and not upgrade.unsettled for upgrade in await upgrades_of(store))
        known = await by_id(store, ORDERS)
        for instance_id, version in engine.versions.items():
            if instance_id not in engine.moved_elsewhere:
                assert known[instance_id].version == version
