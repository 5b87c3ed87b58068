"""Whatever goes wrong at the engine, each instance moves once, and the audit says what the engine says."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

import pytest

from tests.support.linked_world import a_linked_world, run_until_idle
from uplift.domain import ReasonCode, UpgradeState, cancel_upgrade, pause_upgrade, resume_upgrade
from uplift.domain.ports.process_engine import (
    EngineFault,
    EngineFaultKind,
    EngineInstanceId,
    EngineTraits,
    EngineVersionId,
    MovePlan,
    Refusal,
)
from uplift.domain.rules.engine_health import BREAKER_FAILURES, Breaker
from uplift.domain.use_cases.links.holding import LinkLostError
from uplift.domain.use_cases.links.sender import CERTAIN_AFTER
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ADMIN
from uplift.testing.engine.fake import LIKE_CAMUNDA_7, LIKE_FLOWABLE, FakeEngine
from uplift.testing.engine.faults import overloaded, unreachable

pytestmark = pytest.mark.anyio

TRAITS = pytest.mark.parametrize("traits", [LIKE_CAMUNDA_7, LIKE_FLOWABLE], ids=["checks", "does not check"])


class FailingEngine(FakeEngine):
    """Answers requests to move some instances with an error that names none."""

    failing: frozenset[EngineInstanceId] = frozenset()

    async def move(
        self, plan: MovePlan, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, Refusal | None]:
        if self.failing & set(ids):
            raise EngineFault(EngineFaultKind.FAILED, "NullPointerException")
        return await super().move(plan, ids)


class ForgetfulEngine(FakeEngine):
    """Leaves an instance out of its first answer."""

    has_answered = False

    async def move(
        self, plan: MovePlan, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, Refusal | None]:
        answers = dict(await super().move(plan, ids))
        if not self.has_answered:
            self.has_answered = True
            del answers[ids[0]]
        return answers


class LateEngine(FakeEngine):
    """Carries the first request out only after it was asked where the instances are, as if it was frozen."""

    late: tuple[MovePlan, Sequence[EngineInstanceId]] | None = None
    is_first = True

    async def move(
        self, plan: MovePlan, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, Refusal | None]:
        if self.is_first:
            self.is_first, self.late = False, (plan, ids)
            raise unreachable()
        return await super().move(plan, ids)

    async def locate(
        self, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, EngineVersionId | None]:
        located = await super().locate(ids)
        if self.late is not None:
            late, self.late = self.late, None
            await super().move(*late)
        return located


class TakenOverEngine(FakeEngine):
    """Does something before the first request takes effect."""

    before_move: Callable[[], Awaitable[None]] | None = None

    async def move(
        self, plan: MovePlan, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, Refusal | None]:
        before, self.before_move = self.before_move, None
        if before is not None:
            await before()
        return await super().move(plan, ids)


@TRAITS
async def test_a_request_whose_answer_is_lost_is_not_repeated(traits: EngineTraits) -> None:
    world, held = await a_linked_world(InMemoryStore(), count=30, engine=FakeEngine(traits))
    upgrade = await world.order()
    sender = world.sender(held)
    world.engine.faults.loses_answers = True
    await sender.run_once()
    world.engine.faults.loses_answers = False
    await run_until_idle(sender)

    done = await world.require_true_audit(upgrade)
    assert done.upgraded == 30
    moved = [engine_id for move in world.engine.moves for engine_id in move.ids]
    assert len(moved) == len(set(moved)) == 30


@TRAITS
async def test_a_request_that_reaches_the_engine_twice_counts_as_it_took_effect(traits: EngineTraits) -> None:
    world, held = await a_linked_world(InMemoryStore(), count=10, engine=FakeEngine(traits))
    world.engine.faults.delivers_twice = True
    upgrade = await world.order()

    await run_until_idle(world.sender(held))

    assert (await world.require_true_audit(upgrade)).upgraded == 10


@pytest.mark.parametrize("after", [0, 3, 30])
@TRAITS
async def test_an_engine_that_dies_in_the_middle_ends_the_upgrade_after_its_restart(
    traits: EngineTraits, after: int
) -> None:
    world, held = await a_linked_world(InMemoryStore(), count=30, engine=FakeEngine(traits))
    upgrade = await world.order()
    sender = world.sender(held)
    world.engine.faults.dies_after = after
    for _ in range(5):
        await sender.run_once()
    assert (await world.found(upgrade)).state is UpgradeState.RUNNING

    world.engine.restart()
    await run_until_idle(sender)
    assert (await world.require_true_audit(upgrade)).upgraded == 30


async def test_while_the_engine_is_down_little_is_sent_and_nothing_ends() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=500)
    upgrade = await world.order()
    sender = world.sender(held)
    world.engine.faults.fault = unreachable()
    for _ in range(20):
        await sender.run_once()

    stored = await world.found(upgrade)
    assert (stored.state, stored.unsettled) == (UpgradeState.RUNNING, 500)
    assert stored.sent <= 200
    world.engine.faults.fault = None
    await run_until_idle(sender)
    assert (await world.require_true_audit(upgrade)).upgraded == 500


async def test_an_engine_counts_as_unreachable_after_failures_in_a_row_until_it_answers() -> None:
    world, held = await a_linked_world(InMemoryStore())
    await world.order()
    breaker = Breaker()
    sender = world.sender(held, breaker)
    began = world.clock()
    world.engine.faults.fault = unreachable()
    for _ in range(BREAKER_FAILURES):
        assert breaker.open_since is None
        await sender.run_once()

    assert breaker.open_since is not None
    assert began < breaker.open_since < began + timedelta(seconds=1)
    world.engine.faults.fault = None
    await run_until_idle(sender)
    assert breaker.open_since is None


async def test_leaves_the_engine_alone_for_as_long_as_it_asks() -> None:
    world, held = await a_linked_world(InMemoryStore())
    upgrade = await world.order()
    sender = world.sender(held)
    world.engine.faults.upcoming.append(overloaded(timedelta(seconds=90)))
    began = world.clock.monotonic()

    await sender.run_once()

    assert world.clock.monotonic() - began > 90
    await run_until_idle(sender)
    assert (await world.require_true_audit(upgrade)).upgraded == 20


async def test_an_instance_at_which_the_engine_fails_does_not_stop_the_others() -> None:
    engine = FailingEngine()
    world, held = await a_linked_world(InMemoryStore(), count=40, engine=engine)
    engine.failing = frozenset(world.ids[3:5])
    upgrade = await world.order()

    await run_until_idle(world.sender(held))

    done = await world.require_true_audit(upgrade)
    assert (done.upgraded, dict(done.refusals)) == (38, {ReasonCode.ENGINE_REFUSED: 2})
    reasons = (await world.outcomes(upgrade))[world.ids[3]].reasons
    assert [reason.message for reason in reasons] == ["NullPointerException"]


async def test_an_answer_that_leaves_an_instance_out_is_completed() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=5, engine=ForgetfulEngine())
    upgrade = await world.order()

    await run_until_idle(world.sender(held))

    assert (await world.require_true_audit(upgrade)).upgraded == 5


async def test_a_wrong_clock_of_the_engine_changes_nothing() -> None:
    world, held = await a_linked_world(InMemoryStore())
    world.engine.faults.clock_error = timedelta(days=-400)
    upgrade = await world.order()

    await run_until_idle(world.sender(held))

    assert (await world.require_true_audit(upgrade)).upgraded == 20


async def test_orders_of_a_paused_upgrade_are_put_back_once_they_are_certainly_not_carried_out() -> None:
    world, held = await a_linked_world(InMemoryStore())
    upgrade = await world.order()
    sender = world.sender(held)
    world.engine.faults.fault = unreachable()
    await sender.run_once()
    await pause_upgrade(world.store, upgrade.id, caller=ADMIN)
    world.engine.faults.fault = None
    began = world.clock.monotonic()
    await run_until_idle(sender)

    paused = await world.found(upgrade)
    assert (paused.state, paused.ordered, paused.sent) == (UpgradeState.PAUSED, 20, 0)
    assert world.clock.monotonic() - began > CERTAIN_AFTER
    await resume_upgrade(world.store, upgrade.id, caller=ADMIN)
    await run_until_idle(sender)
    assert (await world.require_true_audit(upgrade)).upgraded == 20


async def test_a_request_that_was_on_its_way_while_the_upgrade_was_cancelled_counts() -> None:
    engine = LateEngine()
    world, held = await a_linked_world(InMemoryStore(), count=8, engine=engine)
    upgrade = await world.order()
    sender = world.sender(held)
    await sender.run_once()
    await cancel_upgrade(world.store, upgrade.id, caller=ADMIN)

    await run_until_idle(sender)

    done = await world.require_true_audit(upgrade)
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.CANCELLED, 8, 0)


async def test_a_sender_whose_lease_has_expired_sends_nothing() -> None:
    world, held = await a_linked_world(InMemoryStore())
    upgrade = await world.order()
    sender = world.sender(held)
    world.clock.pass_time(world.lease_for.total_seconds() + 1)

    with pytest.raises(LinkLostError):
        await sender.run_once()

    assert world.engine.moves == []
    await run_until_idle(world.sender(await world.hold()))
    assert (await world.require_true_audit(upgrade)).upgraded == 20


async def test_two_senders_of_which_one_lost_its_lease_move_each_instance_once() -> None:
    engine = TakenOverEngine()
    world, held = await a_linked_world(InMemoryStore(), count=30, engine=engine)
    upgrade = await world.order()

    async def take_over() -> None:
        world.clock.pass_time(world.lease_for.total_seconds() + 1)
        await run_until_idle(world.sender(await world.hold()))

    engine.before_move = take_over
    with pytest.raises(LinkLostError):
        await run_until_idle(world.sender(held))

    assert (await world.require_true_audit(upgrade)).upgraded == 30
    assert len(engine.moves) == 2
