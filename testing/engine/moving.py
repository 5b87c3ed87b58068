"""Contract: how an adapter moves instances, and what it answers of each."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import (
    ElementRole,
    EngineInstanceId,
    EngineVersionId,
    MovePlan,
    ProcessEngine,
    Refusal,
)
from uplift.testing.engine.documents import multi_instance, parallel, subprocess, tasks, with_boundary
from uplift.testing.engine.harness import (
    EngineHarness,
    a_plan,
    a_process_key,
    an_instruction,
    instances_in,
    waiting_in,
)

CHECK = ElementId("check")
UNKNOWN = EngineInstanceId("00000000-0000-4000-8000-000000000000")

Answers = dict[EngineInstanceId, ReasonCode | None]


async def move(engine: ProcessEngine, plan: MovePlan, ids: Sequence[EngineInstanceId]) -> Answers:
    """Move instances, in requests as large as the engine allows. Each refusal has a message."""
    size = engine.traits.max_size
    answers: dict[EngineInstanceId, Refusal | None] = {}
    for start in range(0, len(ids), size):
        answers |= await engine.move(plan, ids[start : start + size])
    assert all(refusal is None or refusal.message for refusal in answers.values())
    return {
        instance_id: None if refusal is None else refusal.code for instance_id, refusal in answers.items()
    }


async def two_versions(
    harness: EngineHarness, first: Sequence[str], second: Sequence[str]
) -> tuple[EngineVersionId, EngineVersionId]:
    """Two versions of a process with these tasks in a row."""
    key = a_process_key()
    return await harness.deploy(key, tasks(key, *first)), await harness.deploy(key, tasks(key, *second))


async def test_instances_move_to_the_target_of_their_plan(harness: EngineHarness) -> None:
    source, target = await two_versions(harness, ["check"], ["review", "pay"])
    moving = await harness.start(source, 7)
    others = await harness.start(source, 2)
    plan = a_plan(source, target, check="review")
    assert await move(harness.engine, plan, moving) == dict.fromkeys(moving)
    assert sorted(await waiting_in(harness.engine, target, "review")) == sorted(moving)
    assert sorted(await waiting_in(harness.engine, source, "check")) == sorted(others)
    assert await harness.engine.locate([*moving, *others]) == {
        **dict.fromkeys(moving, target),
        **dict.fromkeys(others, source),
    }
    await harness.complete(moving[0], ElementId("review"))
    assert await waiting_in(harness.engine, target, "pay") == [moving[0]]


async def test_a_move_of_no_instances_sends_no_request(harness: EngineHarness) -> None:
    plan = a_plan(EngineVersionId("unknown:1:1"), EngineVersionId("unknown:2:2"), check="check")
    assert await harness.engine.move(plan, []) == {}


async def test_more_instances_than_a_request_holds_are_a_mistake_of_the_caller(
    harness: EngineHarness,
) -> None:
    source, target = await two_versions(harness, ["check"], ["check"])
    too_many = [EngineInstanceId(str(number)) for number in range(harness.engine.traits.max_size + 1)]
    with pytest.raises(ValueError, match=r"^Expected at most"):
        await harness.engine.move(a_plan(source, target, check="check"), too_many)


async def test_an_instance_that_is_gone_is_refused_and_the_others_move(harness: EngineHarness) -> None:
    source, target = await two_versions(harness, ["check"], ["check"])
    moving = await harness.start(source, 5)
    await harness.cancel(moving[1])
    await harness.complete(moving[3], CHECK)
    gone = [moving[1], moving[3], UNKNOWN, EngineInstanceId("no id's ✓ form")]
    ids = [*moving[:2], UNKNOWN, *moving[2:], gone[3]]
    assert await move(harness.engine, a_plan(source, target, check="check"), ids) == {
        **dict.fromkeys(moving),
        **dict.fromkeys(gone, ReasonCode.INSTANCE_NOT_FOUND),
    }
    assert sorted(await instances_in(harness.engine, target)) == sorted({*moving} - {*gone})


async def test_an_engine_that_checks_positions_refuses_an_instance_that_waits_elsewhere_by_now(
    harness: EngineHarness,
) -> None:
    is_checked = harness.engine.traits.checks_position
    source, target = await two_versions(harness, ["check", "approve"], ["check", "approve"])
    moving = await harness.start(source, 6)
    elsewhere = [moving[0], moving[5]]
    for instance in elsewhere:
        await harness.complete(instance, CHECK)
    assert await move(harness.engine, a_plan(source, target, check="check"), moving) == {
        **dict.fromkeys(moving),
        **dict.fromkeys(elsewhere, ReasonCode.MOVED_ON if is_checked else None),
    }
    where = source if is_checked else target
    assert sorted(await waiting_in(harness.engine, where, "approve")) == sorted(elsewhere)
    assert sorted(await waiting_in(harness.engine, target, "check")) == sorted(moving[1:5])


async def test_an_engine_that_checks_the_source_refuses_an_instance_on_another_version(
    harness: EngineHarness,
) -> None:
    is_checked = harness.engine.traits.checks_source
    key = a_process_key()
    source = await harness.deploy(key, tasks(key, "check"))
    target = await harness.deploy(key, tasks(key, "check"))
    [here] = await harness.start(source)
    third = await harness.deploy(key, tasks(key, "check"))
    [there] = await harness.start(third)
    assert await move(harness.engine, a_plan(source, target, check="check"), [there, here]) == {
        here: None,
        there: ReasonCode.MOVED_ON if is_checked else None,
    }
    assert await harness.engine.locate([there]) == {there: third if is_checked else target}


async def test_a_request_that_is_repeated_moves_nothing_twice(harness: EngineHarness) -> None:
    source, target = await two_versions(harness, ["check"], ["check"])
    moving = await harness.start(source, 4)
    plan = a_plan(source, target, check="check")
    await move(harness.engine, plan, moving)
    answer = ReasonCode.MOVED_ON if harness.engine.traits.checks_source else None
    assert await move(harness.engine, plan, moving) == dict.fromkeys(moving, answer)
    assert sorted(await waiting_in(harness.engine, target, "check")) == sorted(moving)


async def test_instances_move_back(harness: EngineHarness) -> None:
    source, target = await two_versions(harness, ["check"], ["review"])
    moving = await harness.start(source, 4)
    await move(harness.engine, a_plan(source, target, check="review"), moving)
    assert await move(harness.engine, a_plan(target, source, review="check"), moving) == dict.fromkeys(moving)
    assert sorted(await waiting_in(harness.engine, source, "check")) == sorted(moving)


async def test_a_plan_to_an_element_that_is_not_there_is_refused_for_each(harness: EngineHarness) -> None:
    source, target = await two_versions(harness, ["check"], ["review"])
    moving = await harness.start(source, 3)
    plan = a_plan(source, target, check="nowhere")
    assert await move(harness.engine, plan, moving) == dict.fromkeys(moving, ReasonCode.ENGINE_REFUSED)
    assert sorted(await waiting_in(harness.engine, source, "check")) == sorted(moving)


async def test_the_dry_run_objects_to_what_cannot_be_mapped(harness: EngineHarness) -> None:
    source, target = await two_versions(harness, ["check"], ["review"])
    moving = await harness.start(source, 2)
    assert await harness.engine.objections(a_plan(source, target, check="review")) == ()
    found = await harness.engine.objections(a_plan(source, target, check="nowhere"))
    if harness.has_dry_run:
        [objection] = found
        assert objection.source == CHECK
        assert objection.message
    else:
        assert found == ()
    assert sorted(await waiting_in(harness.engine, source, "check")) == sorted(moving)


async def test_all_tokens_of_an_instance_move(harness: EngineHarness) -> None:
    key = a_process_key()
    source = await harness.deploy(key, parallel(key, "west", "east"))
    target = await harness.deploy(key, parallel(key, "north", "east"))
    moving = await harness.start(source, 3)
    plan = a_plan(source, target, west="north", east="east")
    assert await move(harness.engine, plan, moving) == dict.fromkeys(moving)
    for element in ("north", "east"):
        assert sorted(await waiting_in(harness.engine, target, element)) == sorted(moving)


async def test_an_instance_in_a_subprocess_moves_with_it(harness: EngineHarness) -> None:
    key = a_process_key()
    source = await harness.deploy(key, subprocess(key, "pay", "enter"))
    target = await harness.deploy(key, subprocess(key, "collect", "enter", "confirm"))
    [instance] = await harness.start(source)
    plan = a_plan(source, target, an_instruction("pay", "collect", ElementRole.SCOPE), enter="enter")
    assert await move(harness.engine, plan, [instance]) == {instance: None}
    await harness.complete(instance, ElementId("enter"))
    assert await waiting_in(harness.engine, target, "confirm") == [instance]


async def test_an_instance_with_a_boundary_event_moves_with_it(harness: EngineHarness) -> None:
    key = a_process_key()
    source = await harness.deploy(key, with_boundary(key, "check", "cancelled_by_message"))
    target = await harness.deploy(key, with_boundary(key, "review", "withdrawn"))
    moving = await harness.start(source, 3)
    listener = an_instruction("cancelled_by_message", "withdrawn", ElementRole.LISTENER)
    plan = a_plan(source, target, listener, check="review")
    assert await move(harness.engine, plan, moving) == dict.fromkeys(moving)
    assert sorted(await waiting_in(harness.engine, target, "review")) == sorted(moving)


async def test_a_multi_instance_activity_moves_with_all_its_tokens(harness: EngineHarness) -> None:
    key = a_process_key()
    source = await harness.deploy(key, multi_instance(key, "vote"))
    target = await harness.deploy(key, multi_instance(key, "decide"))
    moving = await harness.start(source, 3)
    votes = an_instruction("vote", "decide", is_multi_instance=True)
    assert await move(harness.engine, a_plan(source, target, votes), moving) == dict.fromkeys(moving)
    assert sorted(await waiting_in(harness.engine, target, "decide")) == sorted(moving)
    back = replace(votes, source=votes.target, target=votes.source)
    assert await move(harness.engine, a_plan(target, source, back), moving) == dict.fromkeys(moving)
    assert sorted(await waiting_in(harness.engine, source, "vote")) == sorted(moving)
