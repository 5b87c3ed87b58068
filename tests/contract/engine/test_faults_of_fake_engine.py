"""The faults of the engine in memory, on which tests of sending and sweeping rely."""

import asyncio
from collections import deque
from dataclasses import replace
from datetime import timedelta

import pytest

from uplift.domain.model.decision import ReasonCode
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind, EngineInstanceId, MovePlan
from uplift.testing.builders import NOON, at
from uplift.testing.engine.documents import tasks
from uplift.testing.engine.fake import LIKE_FLOWABLE, FakeEngine
from uplift.testing.engine.faults import overloaded, unreachable
from uplift.testing.engine.harness import a_plan
from uplift.testing.engine.moving import move

pytestmark = pytest.mark.anyio


def a_move(engine: FakeEngine, count: int = 4) -> tuple[MovePlan, list[EngineInstanceId]]:
    """A plan of moves, and instances that it can move."""
    source, target = (engine.deploy("order", tasks("order", "check", "pay")) for _ in range(2))
    return a_plan(source, target, check="check"), engine.start(source, count)


def count_on(engine: FakeEngine, plan: MovePlan, ids: list[EngineInstanceId]) -> tuple[int, int]:
    """How many of the instances are really on the source, and on the target."""
    versions = [engine.version_of(instance_id) for instance_id in ids]
    return versions.count(plan.source), versions.count(plan.target)


async def test_every_request_meets_a_fault_until_it_is_switched_off() -> None:
    engine = FakeEngine()
    plan, ids = a_move(engine)
    engine.faults.fault = overloaded(timedelta(seconds=7))
    for request in (engine.describe, engine.versions, lambda: engine.move(plan, ids)):
        with pytest.raises(EngineFault) as caught:
            await request()
        assert (caught.value.kind, caught.value.retry_after) == (
            EngineFaultKind.OVERLOADED,
            timedelta(seconds=7),
        )
    assert count_on(engine, plan, ids) == (4, 0)
    engine.faults.fault = None
    assert await move(engine, plan, ids) == dict.fromkeys(ids)


async def test_the_next_requests_meet_the_upcoming_faults() -> None:
    engine = FakeEngine()
    engine.faults.upcoming = deque([None, unreachable()])
    await engine.describe()
    with pytest.raises(EngineFault):
        await engine.describe()
    await engine.describe()


async def test_a_request_waits_at_the_gate_before_it_takes_effect() -> None:
    engine = FakeEngine()
    plan, ids = a_move(engine)
    engine.faults.gate = asyncio.Event()
    moves = [asyncio.create_task(engine.move(plan, [instance_id])) for instance_id in ids[:2]]
    await asyncio.sleep(0)
    assert count_on(engine, plan, ids) == (4, 0)
    engine.faults.gate.set()
    await asyncio.gather(*moves)
    assert count_on(engine, plan, ids) == (2, 2)
    assert engine.most_at_once == 2
    assert [request.ids for request in engine.moves] == [(ids[0],), (ids[1],)]


async def test_a_lost_answer_leaves_the_effect() -> None:
    engine = FakeEngine()
    plan, ids = a_move(engine)
    engine.faults.loses_answers = True
    with pytest.raises(EngineFault, match=r"^Expected an answer") as caught:
        await engine.move(plan, ids)
    assert caught.value.kind is EngineFaultKind.UNREACHABLE
    assert count_on(engine, plan, ids) == (0, 4)


async def test_a_request_that_is_delivered_twice_is_refused_although_it_took_effect() -> None:
    engine = FakeEngine()
    plan, ids = a_move(engine)
    engine.faults.delivers_twice = True
    assert await move(engine, plan, ids) == dict.fromkeys(ids, ReasonCode.MOVED_ON)
    assert count_on(engine, plan, ids) == (0, 4)


@pytest.mark.parametrize(("dies_after", "moved"), [(0, 0), (3, 0), (4, 4)])
async def test_an_atomic_engine_that_dies_has_moved_all_or_none(dies_after: int, moved: int) -> None:
    engine = FakeEngine()
    plan, ids = a_move(engine)
    engine.faults.dies_after = dies_after
    for _ in range(2):
        with pytest.raises(EngineFault):
            await engine.move(plan, ids)
    assert count_on(engine, plan, ids) == (4 - moved, moved)
    engine.restart()
    assert await engine.locate(ids) == dict.fromkeys(ids, plan.target if moved else plan.source)


async def test_an_engine_that_is_not_atomic_may_die_in_the_middle() -> None:
    engine = FakeEngine(replace(LIKE_FLOWABLE, is_atomic=False, max_size=10))
    plan, ids = a_move(engine)
    engine.faults.dies_after = 3
    with pytest.raises(EngineFault):
        await engine.move(plan, ids)
    assert count_on(engine, plan, ids) == (1, 3)


async def test_instances_are_refused_with_the_message_of_the_test() -> None:
    engine = FakeEngine()
    plan, ids = a_move(engine)
    engine.faults.refused[ids[2]] = "ENGINE-1 no"
    answers = await engine.move(plan, ids)
    refusal = answers[ids[2]]
    assert refusal is not None
    assert (refusal.code, refusal.message) == (ReasonCode.ENGINE_REFUSED, "ENGINE-1 no")
    assert count_on(engine, plan, ids) == (1, 3)


async def test_the_clock_can_be_wrong() -> None:
    engine = FakeEngine(clock=lambda: NOON)
    engine.faults.clock_error = timedelta(hours=-2)
    assert (await engine.describe()).clock == NOON - timedelta(hours=2)


async def test_instances_start_where_a_test_wants_them() -> None:
    numbers = iter(range(10, 100))
    engine = FakeEngine(new_id=lambda: str(next(numbers)))
    version = engine.deploy("order", tasks("order", "check", "pay"))
    assert engine.start(version, 2, at=at("pay")) == ["10", "11"]
    assert engine.position_of(EngineInstanceId("10")) == at("pay")
    engine.complete(EngineInstanceId("10"), *at("pay"))
    assert engine.version_of(EngineInstanceId("10")) is None


async def test_an_instance_like_flowables_moves_from_any_version() -> None:
    engine = FakeEngine(LIKE_FLOWABLE)
    plan, [instance_id, *_] = a_move(engine)
    third = engine.deploy("order", tasks("order", "check"))
    await engine.move(a_plan(plan.source, third, check="check"), [instance_id])
    await engine.move(plan, [instance_id])
    assert engine.version_of(instance_id) == plan.target
