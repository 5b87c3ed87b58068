"""Instances in every state that Operaton knows: where they are listed, and whether they move."""

from typing import Any

import pytest

from tests.engines.operaton_harness import OperatonHarness
from uplift.domain.bpmn import read_model
from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import ElementRole, EngineInstanceId, EngineVersionId
from uplift.engines.camunda7 import Camunda7Engine
from uplift.engines.camunda7.plans import migration_plan
from uplift.testing.engine.documents import (
    a_document,
    chain,
    flow,
    multi_instance,
    parallel,
    subprocess,
    tasks,
    with_boundary,
)
from uplift.testing.engine.harness import (
    a_plan,
    a_process_key,
    all_pages,
    an_instruction,
    instances_in,
    waiting_in,
)
from uplift.testing.engine.moving import move

pytestmark = pytest.mark.anyio

BROKEN = '<serviceTask id="book" camunda:asyncBefore="true" camunda:expression="${nothing.there}"/>'
MENDED = '<serviceTask id="book" camunda:asyncBefore="true" camunda:expression="${1 + 1}"/>'


async def deployed(harness: OperatonHarness, first: str, second: str | None = None) -> list[EngineVersionId]:
    """Two versions of a process with these elements in a row."""
    key = a_process_key()
    documents = (a_document(key, chain(element)) for element in (first, second or first))
    return [await harness.deploy(key, document) for document in documents]


async def job_of(harness: OperatonHarness, instance: EngineInstanceId) -> Any:
    """The only job of an instance."""
    [job] = await harness.call("GET", "/job", processInstanceId=instance)
    return job


async def complete_one(harness: OperatonHarness, instance: EngineInstanceId) -> None:
    """Complete one of the user tasks of an instance."""
    task, *_ = await harness.call("GET", "/task", processInstanceId=instance)
    await harness.call("POST", f"/task/{task['id']}/complete", {})


async def test_a_suspended_instance_moves_and_stays_suspended(harness: OperatonHarness) -> None:
    source, target = await deployed(harness, '<userTask id="check"/>')
    [instance] = await harness.start(source)
    await harness.suspend(instance)
    await harness.call("PUT", f"/process-definition/{source}/suspended", {"suspended": True})
    assert await move(harness.engine, a_plan(source, target, check="check"), [instance]) == {instance: None}
    assert await waiting_in(harness.engine, target, "check") == [instance]
    assert (await harness.call("GET", f"/process-instance/{instance}"))["suspended"] is True


async def test_an_instance_with_an_incident_moves_to_the_version_that_mends_it(
    harness: OperatonHarness,
) -> None:
    source, target = await deployed(harness, BROKEN, MENDED)
    failed, fresh = await harness.start(source, 2)
    job = await job_of(harness, failed)
    await harness.call("PUT", f"/job/{job['id']}/retries", {"retries": 0})
    assert await harness.call("GET", "/incident", processInstanceId=failed) != []
    for tokens in (
        await waiting_in(harness.engine, source, "book"),
        await instances_in(harness.engine, source),
    ):
        assert sorted(tokens) == sorted([failed, fresh])
    plan = a_plan(source, target, book="book")
    assert await move(harness.engine, plan, [failed, fresh]) == {failed: None, fresh: None}
    moved = await job_of(harness, failed)
    assert (moved["id"], moved["retries"], moved["processDefinitionId"]) == (job["id"], 0, target)
    await harness.call("POST", f"/job/{job['id']}/execute")
    assert await harness.engine.locate([failed, fresh]) == {failed: None, fresh: target}


async def test_a_token_before_an_asynchronous_task_is_refused_where_the_task_is_not(
    harness: OperatonHarness,
) -> None:
    source, target = await deployed(harness, BROKEN, BROKEN.replace('camunda:asyncBefore="true"', ""))
    [instance] = await harness.start(source)
    answers = await harness.engine.move(a_plan(source, target, book="book"), [instance])
    refusal = answers[instance]
    assert refusal is not None
    assert (refusal.code, refusal.message) == (
        ReasonCode.ENGINE_REFUSED,
        (
            "Expected the engine to move the instance, but it refuses: "
            "ENGINE-23004 'book': Target activity is not asyncBefore"
        ),
    )
    refusal = (await harness.engine.move(a_plan(source, target), [instance]))[instance]
    assert refusal is not None
    assert refusal.code is ReasonCode.MOVED_ON
    assert "'book': There is no migration instruction" in refusal.message


async def test_a_token_after_an_asynchronous_task_waits_there(harness: OperatonHarness) -> None:
    source, target = await deployed(harness, '<userTask id="check" camunda:asyncAfter="true"/>')
    [instance] = await harness.start(source)
    await harness.complete(instance, ElementId("check"))
    assert await waiting_in(harness.engine, source, "check") == [instance]
    assert await move(harness.engine, a_plan(source, target, check="check"), [instance]) == {instance: None}
    await harness.call("POST", f"/job/{(await job_of(harness, instance))['id']}/execute")
    assert await harness.engine.locate([instance]) == {instance: None}


async def test_a_token_at_a_join_needs_an_instruction(harness: OperatonHarness) -> None:
    key = a_process_key()
    source, target = [await harness.deploy(key, parallel(key, "west", "east")) for _ in range(2)]
    [instance] = await harness.start(source)
    await harness.complete(instance, ElementId("west"))
    assert await move(harness.engine, a_plan(source, target, east="east"), [instance]) == {
        instance: ReasonCode.MOVED_ON
    }
    plan = a_plan(source, target, east="east", join="join")
    assert await move(harness.engine, plan, [instance]) == {instance: None}
    await harness.complete(instance, ElementId("east"))
    assert await harness.engine.locate([instance]) == {instance: None}


async def test_a_parallel_activity_of_which_a_part_is_done_stays_where_it_would_get_a_new_id(
    harness: OperatonHarness,
) -> None:
    key = a_process_key()
    source = await harness.deploy(key, multi_instance(key, "vote", count=3))
    target = await harness.deploy(key, multi_instance(key, "decide", count=3))
    started = await harness.start(source, 8)
    partly = started[1::2]
    for instance in partly:
        await complete_one(harness, instance)
    plan = a_plan(source, target, an_instruction("vote", "decide", is_multi_instance=True))
    answers = await harness.engine.move(plan, started)
    assert [instance for instance, refusal in answers.items() if refusal is None] == started[::2]
    for instance in partly:
        refusal = answers[instance]
        assert refusal is not None
        assert refusal.code is ReasonCode.ENGINE_REFUSED
        assert "activity 'vote' to be done" in refusal.message
        await harness.complete(instance, ElementId("vote"))
    await harness.complete(started[0], ElementId("decide"))
    located = await harness.engine.locate(started)
    assert [located[instance] for instance in partly] == [None] * 4
    assert located[started[0]] is None


async def test_the_engine_still_forgets_the_part_that_is_done(harness: OperatonHarness) -> None:
    """The reason of the test above. If this fails, the engine has been mended: let such instances move."""
    key = a_process_key()
    source, target = [await harness.deploy(key, multi_instance(key, name)) for name in ("vote", "decide")]
    [instance] = await harness.start(source)
    await complete_one(harness, instance)
    plan = a_plan(source, target, an_instruction("vote", "decide", is_multi_instance=True))
    body = {"migrationPlan": migration_plan(plan), "processInstanceIds": [instance]}
    await harness.call("POST", "/migration/execute", body)
    await harness.complete(instance, ElementId("decide"))
    assert await harness.engine.locate([instance]) == {instance: target}
    assert await harness.call("GET", "/task", processInstanceId=instance) == []


@pytest.mark.parametrize(("is_sequential", "name"), [("true", "decide"), ("true", "vote"), ("false", "vote")])
async def test_any_other_activity_of_which_a_part_is_done_moves(
    harness: OperatonHarness, is_sequential: str, name: str
) -> None:
    key = a_process_key()
    source, target = [
        await harness.deploy(
            key, multi_instance(key, element, count=2).replace(b'"false"', f'"{is_sequential}"'.encode())
        )
        for element in ("vote", name)
    ]
    [instance] = await harness.start(source)
    await complete_one(harness, instance)
    plan = a_plan(source, target, an_instruction("vote", name, is_multi_instance=True))
    assert await move(harness.engine, plan, [instance]) == {instance: None}
    await harness.complete(instance, ElementId(name))
    assert await harness.engine.locate([instance]) == {instance: None}


async def test_ids_of_the_parts_of_a_multi_instance_activity_are_understood(harness: OperatonHarness) -> None:
    key = a_process_key()
    source, target = [await harness.deploy(key, multi_instance(key, "vote")) for _ in range(2)]
    parts = [
        an_instruction(f"vote{part}", f"vote{part}") for part in ("#multiInstanceBody", "#innerInstance")
    ]
    assert await harness.engine.objections(a_plan(source, target, *parts)) == ()
    [objection] = await harness.engine.objections(a_plan(source, target, parts[1]))
    assert objection.source == "vote"
    assert "multi-instance body" in objection.message


@pytest.mark.parametrize("maps_the_scope", [True, False])
async def test_a_subprocess_around_the_position_may_be_mapped_or_not(
    harness: OperatonHarness, maps_the_scope: bool
) -> None:
    key = a_process_key()
    source = await harness.deploy(key, subprocess(key, "pay", "enter"))
    target = await harness.deploy(key, subprocess(key, "collect", "enter"))
    [instance] = await harness.start(source)
    scope = [an_instruction("pay", "collect", ElementRole.SCOPE)] if maps_the_scope else []
    plan = a_plan(source, target, *scope, enter="enter")
    assert await move(harness.engine, plan, [instance]) == {instance: None}
    assert await waiting_in(harness.engine, target, "enter") == [instance]


async def test_a_boundary_event_that_is_mapped_keeps_its_timer(harness: OperatonHarness) -> None:
    key = a_process_key()
    documents = [
        with_boundary(key, "check", "late").replace(
            b'<messageEventDefinition messageRef="message_cancel"/>',
            b"<timerEventDefinition><timeDuration>" + due + b"</timeDuration></timerEventDefinition>",
        )
        for due in (b"P10D", b"P20D")
    ]
    source, target = [await harness.deploy(key, document) for document in documents]
    kept, renewed = await harness.start(source, 2)
    before = (await job_of(harness, kept))["dueDate"]
    listener = an_instruction("late", "late", ElementRole.LISTENER)
    assert await move(harness.engine, a_plan(source, target, listener, check="check"), [kept]) == {kept: None}
    assert await move(harness.engine, a_plan(source, target, check="check"), [renewed]) == {renewed: None}
    assert (await job_of(harness, kept))["dueDate"] == before
    assert (await job_of(harness, renewed))["dueDate"] > before


async def test_a_conditional_event_takes_over_the_trigger_of_the_target(harness: OperatonHarness) -> None:
    key = a_process_key()
    document = a_document(
        key,
        chain("check"),
        '<boundaryEvent id="paid" attachedToRef="check"><conditionalEventDefinition>'
        "<condition>${isPaid == true}</condition></conditionalEventDefinition></boundaryEvent>",
        '<endEvent id="done"/>',
        flow("paid", "done"),
    )
    source, target = [await harness.deploy(key, document) for _ in range(2)]
    [instance] = await harness.start(source, isPaid=False)
    keeps, takes = (
        a_plan(
            source,
            target,
            an_instruction("paid", "paid", ElementRole.LISTENER, updates_trigger=updates),
            check="check",
        )
        for updates in (False, True)
    )
    [objection] = await harness.engine.objections(keeps)
    assert (objection.source, objection.message) == (
        "paid",
        "Conditional event has to migrate with update event trigger.",
    )
    assert await move(harness.engine, keeps, [instance]) == {instance: ReasonCode.ENGINE_REFUSED}
    assert await move(harness.engine, takes, [instance]) == {instance: None}


async def test_a_called_instance_is_one_of_its_own_process(harness: OperatonHarness) -> None:
    called_key = a_process_key()
    inner, newer = [await harness.deploy(called_key, tasks(called_key, "work")) for _ in range(2)]
    call = f'<callActivity id="call" calledElement="{called_key}" camunda:calledElementBinding="version"'
    source, target = await deployed(harness, f'{call} camunda:calledElementVersion="1"/>')
    [caller] = await harness.start(source)
    [called] = await instances_in(harness.engine, inner)
    assert await waiting_in(harness.engine, source, "call") == [caller]
    assert await waiting_in(harness.engine, source, "work") == []
    assert await move(harness.engine, a_plan(source, target, call="call"), [caller]) == {caller: None}
    assert await harness.engine.locate([caller, called]) == {caller: target, called: inner}
    assert await move(harness.engine, a_plan(inner, newer, work="work"), [called]) == {called: None}
    await harness.complete(called, ElementId("work"))
    assert await harness.engine.locate([caller, called]) == {caller: None, called: None}


async def test_a_changed_kind_of_task_is_objected_to_and_refused(harness: OperatonHarness) -> None:
    source, target = await deployed(
        harness, '<userTask id="check"/>', '<receiveTask id="check" messageRef="message_cancel"/>'
    )
    [instance] = await harness.start(source)
    plan = a_plan(source, target, check="check")
    [objection] = await harness.engine.objections(plan)
    assert objection.source == "check"
    assert objection.message.startswith("Activities have incompatible types")
    answers = await harness.engine.move(plan, [instance])
    refusal = answers[instance]
    assert refusal is not None
    assert refusal.code is ReasonCode.ENGINE_REFUSED
    assert "Activities have incompatible types" in refusal.message


async def test_a_version_that_is_gone_is_an_objection_and_refuses_all(harness: OperatonHarness) -> None:
    source, target = await deployed(harness, '<userTask id="check"/>')
    [instance] = await harness.start(source)
    await harness.call("DELETE", f"/process-definition/{target}")
    plan = a_plan(source, target, check="check")
    [objection] = await harness.engine.objections(plan)
    assert objection.source is None
    assert "does not exist" in objection.message
    assert await move(harness.engine, plan, [instance]) == {instance: ReasonCode.ENGINE_REFUSED}
    assert await harness.engine.locate([instance]) == {instance: source}


async def test_a_document_keeps_its_letters_whatever_its_encoding(harness: OperatonHarness) -> None:
    key = a_process_key()
    text = tasks(key, "check").decode().replace('id="check"', 'id="check" name="Prüfen"')
    documents = [
        text.encode(),
        text.replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        text.replace("UTF-8", "UTF-16").encode("utf-16"),
    ]
    for document in documents:
        version = await harness.deploy(key, document)
        model = read_model(await harness.engine.model(version))
        assert model.elements["check"].name == "Prüfen"


async def test_versions_have_the_tenant_of_the_link(harness: OperatonHarness) -> None:
    key = a_process_key()
    of_none = await harness.deploy(key, tasks(key, "check"))
    of_a = [await harness.deploy(key, tasks(key, "check"), tenant="a") for _ in range(2)]
    for tenant, expected in ((None, [(of_none, 1)]), ("a", list(zip(of_a, (1, 2), strict=True))), ("b", [])):
        engine = Camunda7Engine(harness.url, tenant=tenant)
        versions, _ = await all_pages(engine.versions)
        await engine.close()
        found = [(version.id, version.number) for version in versions if version.key == key]
        assert sorted(found) == sorted(expected)
    [instance] = await harness.start(of_a[0])
    assert await instances_in(harness.engine, of_a[0]) == [instance]
    assert await instances_in(harness.engine, of_none) == []
    assert await move(harness.engine, a_plan(of_a[0], of_a[1], check="check"), [instance]) == {instance: None}
