"""Whole upgrades of instances that run in a real Operaton."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.engines.linked_operaton import LinkedOperaton
from tests.support.operaton import Operaton
from uplift.domain import (
    ReasonCode,
    RetryRequest,
    UndoRequest,
    Upgrade,
    UpgradeRequest,
    UpgradeState,
    Worker,
    all_active,
    plan_upgrade,
    request_retry,
    request_undo,
    request_upgrade,
)
from uplift.domain.model.instance import ElementId
from uplift.domain.model.link import EngineInstanceId
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ADMIN
from uplift.testing.engine.documents import a_document, chain, flow, multi_instance, parallel, subprocess
from uplift.testing.stores import outcomes_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def linked(the_operaton: Operaton) -> AsyncIterator[LinkedOperaton]:
    async with LinkedOperaton.open(InMemoryStore(), the_operaton.url) as linked:
        yield linked


async def upgrade_all(linked: LinkedOperaton) -> Upgrade:
    request = UpgradeRequest(process=linked.process, selection=all_active())
    worker = Worker(name="requests")
    upgrade = await request_upgrade(linked.store, request, caller=ADMIN, worker=worker)
    return await linked.run(upgrade)


async def reasons(linked: LinkedOperaton, upgrade: Upgrade) -> Counter[ReasonCode]:
    outcomes = await outcomes_of(linked.store, upgrade.id)
    return Counter(reason.code for outcome in outcomes for reason in outcome.reasons)


async def test_links_sweeps_plans_upgrades_and_undoes(linked: LinkedOperaton) -> None:
    await linked.deploy("check", "approve")
    await linked.start(12)
    at_approve, gone, went_on = linked.ids[0], linked.ids[1], linked.ids[2]
    await linked.harness.complete(at_approve, ElementId("check"))
    await linked.deploy("check", "approve", "sign")
    await linked.sweep()

    request = UpgradeRequest(process=linked.process, selection=all_active())
    plan = await plan_upgrade(linked.store, request)
    assert (plan.target_version, plan.upgraded, len(plan.decisions)) == (2, 12, 2)

    await linked.harness.cancel(gone)
    await linked.harness.complete(went_on, ElementId("check"))
    done = await upgrade_all(linked)
    assert (done.state, done.upgraded, done.refused) == (UpgradeState.COMPLETED, 10, 2)
    assert await reasons(linked, done) == {ReasonCode.MOVED_ON: 1, ReasonCode.INSTANCE_NOT_FOUND: 1}
    await linked.require_true_audit(done)

    await linked.sweep()
    again = await upgrade_all(linked)
    assert (again.upgraded, again.skipped) == (1, 10)
    await linked.harness.complete(at_approve, ElementId("approve"))
    undo = await request_undo(
        linked.store, UndoRequest(upgrade_id=done.id), caller=ADMIN, worker=Worker(name="requests")
    )
    undone = await linked.run(undo)
    assert (undone.upgraded, await reasons(linked, undone)) == (9, {ReasonCode.MOVED_ON: 1})
    await linked.require_true_audit(undone, target=0)


CONDITION = (
    '<conditionalEventDefinition><condition xsi:type="tFormalExpression">${false}</condition>'
    "</conditionalEventDefinition>"
)
TIMER = "<timerEventDefinition><timeDuration>P9D</timeDuration></timerEventDefinition>"
MESSAGE = '<messageEventDefinition messageRef="message_cancel"/>'


def boundary(trigger: str) -> bytes:
    """A user task with an interrupting boundary event."""
    event = f'<boundaryEvent id="event" attachedToRef="check">{trigger}</boundaryEvent>'
    return a_document("order", chain("check"), event, '<endEvent id="late"/>', flow("event", "late"))


def watched(trigger: str) -> bytes:
    """A user task beside an event subprocess that does not interrupt."""
    inside = f'<startEvent id="event" isInterrupting="false">{trigger}</startEvent><userTask id="react"/>'
    scope = f'<subProcess id="watch" triggeredByEvent="true">{inside}{flow("event", "react")}</subProcess>'
    return a_document("order", chain("check"), scope)


def choice() -> bytes:
    """An event-based gateway before a message and a timer."""
    catches = "".join(
        f'<intermediateCatchEvent id="{name}">{trigger}</intermediateCatchEvent><endEvent id="{name}_end"/>'
        for name, trigger in (("message", MESSAGE), ("timer", TIMER))
    )
    flows = (("start", "choice"), *(("choice", name) for name in ("message", "timer")))
    ends = ((name, f"{name}_end") for name in ("message", "timer"))
    tags = ('<startEvent id="start"/><eventBasedGateway id="choice"/>', catches)
    return a_document("order", *tags, *(flow(source, target) for source, target in (*flows, *ends)))


def compensated() -> bytes:
    """'book', which 'refund' compensates, in a subprocess that is completed before 'pay'."""
    inner = "".join(
        (
            chain("book", inside="in_"),
            '<boundaryEvent id="undo" attachedToRef="book"><compensateEventDefinition/></boundaryEvent>',
            '<userTask id="refund" isForCompensation="true"/>',
            '<association id="link" sourceRef="undo" targetRef="refund" associationDirection="One"/>',
        )
    )
    return a_document("order", chain(f'<subProcess id="scope">{inner}</subProcess>', "pay"))


@pytest.mark.parametrize(
    ("document", "done_before", "position"),
    [
        pytest.param(parallel("order", "west", "east"), None, {"west", "east"}, id="parallel"),
        pytest.param(parallel("order", "west", "east"), "west", {"join", "east"}, id="join"),
        pytest.param(subprocess("order", "scope", "inside"), None, {"inside"}, id="subprocess"),
        pytest.param(multi_instance("order", "each"), None, {"each"}, id="multi-instance"),
        pytest.param(boundary(MESSAGE), None, {"check"}, id="message boundary"),
        pytest.param(boundary(TIMER), None, {"check"}, id="timer boundary"),
        pytest.param(boundary(CONDITION), None, {"check"}, id="condition boundary"),
        pytest.param(watched(MESSAGE), None, {"check"}, id="message event subprocess"),
        pytest.param(watched(CONDITION), None, {"check"}, id="condition event subprocess"),
        pytest.param(choice(), None, {"choice"}, id="event-based gateway"),
        pytest.param(compensated(), "book", {"pay"}, id="pending compensation"),
    ],
)
async def test_moves_what_an_instance_has_and_undoes_it(
    linked: LinkedOperaton, document: bytes, done_before: str | None, position: set[str]
) -> None:
    await linked.deploy(document=document)
    (instance,) = await linked.start(1)
    if done_before is not None:
        await linked.harness.complete(instance, ElementId(done_before))
    before = await state_of(linked, instance)
    # Another name makes another version with the same elements.
    await linked.deploy(document=document.replace(b'name="Contract"', b'name="Changed"'))
    await linked.sweep()
    assert (await linked.rows())[linked.id_of(instance)] == (1, frozenset(position), "PENDING")

    done = await upgrade_all(linked)
    assert (done.upgraded, done.skipped) == (1, 0), await outcomes_of(linked.store, done.id)
    await linked.require_true_audit(done)
    assert await state_of(linked, instance) == before

    undo = await request_undo(
        linked.store, UndoRequest(upgrade_id=done.id), caller=ADMIN, worker=Worker(name="requests")
    )
    await linked.require_true_audit(await linked.run(undo), target=0)
    assert await state_of(linked, instance) == before


async def state_of(linked: LinkedOperaton, instance: EngineInstanceId) -> list[object]:
    """What an instance has in the engine and keeps when it moves: activities, subscriptions and timers."""
    tree = await linked.harness.call("GET", f"/process-instance/{instance}/activity-instances")
    subscriptions = await linked.harness.call("GET", "/event-subscription", processInstanceId=instance)
    jobs = await linked.harness.call("GET", "/job", processInstanceId=instance)
    return [
        activities(tree),
        sorted((item["id"], item["eventType"], item["activityId"]) for item in subscriptions),
        sorted((job["id"], job["dueDate"]) for job in jobs),
    ]


def activities(tree: dict[str, object]) -> list[tuple[str, str]]:
    """The ids of the activities of an instance and of their instances, the innermost last."""
    children = tree["childActivityInstances"]
    assert isinstance(children, list)
    found = [(str(child["activityId"]), str(child["id"])) for child in children]
    return sorted(found) + [pair for child in children for pair in activities(child)]


async def test_a_retry_moves_what_a_later_version_has_room_for(linked: LinkedOperaton) -> None:
    await linked.deploy("check")
    await linked.start(3)
    await linked.deploy("inspect")
    await linked.sweep()
    done = await upgrade_all(linked)
    assert (done.upgraded, await reasons(linked, done)) == (0, {ReasonCode.INCOMPATIBLE: 3})

    await linked.deploy("check", "sign")
    await linked.sweep()
    retry = RetryRequest(upgrade_id=done.id, reasons=frozenset({ReasonCode.INCOMPATIBLE}))
    upgrade = await request_retry(linked.store, retry, caller=ADMIN, worker=Worker(name="requests"))
    retried = await linked.run(upgrade)
    assert (retried.upgraded, retried.skipped) == (3, 0)
    await linked.require_true_audit(retried)
