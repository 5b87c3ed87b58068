"""A plan of a linked process says what the engine's own dry run says against it."""

import asyncio
from collections.abc import Mapping

import pytest

from tests.support.linked_world import ORDER, LinkedWorld, a_linked_world
from uplift.domain import ElementId, Plan, UpgradeRequest, all_active, plan_upgrade
from uplift.domain.compatibility import Code
from uplift.domain.model.link import Link
from uplift.domain.ports.process_engine import (
    EngineFault,
    EngineFaultKind,
    MovePlan,
    Objection,
    ProcessEngine,
)
from uplift.domain.use_cases.links import objections
from uplift.domain.use_cases.links.objections import with_objections
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ORDERS, a_process, instances
from uplift.testing.engine.fake import FakeEngine
from uplift.testing.engine.faults import unreachable

pytestmark = pytest.mark.anyio

REQUEST = UpgradeRequest(process=ORDER, selection=all_active())


class ObjectingEngine(FakeEngine):
    """Objects to each move of 'check', and counts what it was asked."""

    questions = 0

    async def objections(self, plan: MovePlan) -> tuple[Objection, ...]:
        self.questions += 1
        await super().objections(plan)
        return tuple(
            Objection(source=step.source, message="no such form")
            for step in plan.instructions
            if step.source == "check"
        )


async def planned(world: LinkedWorld) -> Plan:
    plan = await plan_upgrade(world.store, REQUEST)
    return await with_objections(world.store, plan, lambda _: world.engine)


def warnings(plan: Plan) -> Mapping[str, list[tuple[Code, str | None, str]]]:
    """The warnings about the engine by the position of the cohort."""
    return {
        " ".join(sorted(counted.decision.cohort.position)): [
            (finding.code, finding.source, finding.message)
            for finding in counted.decision.warnings
            if finding.code in {Code.ENGINE_OBJECTS, Code.ENGINE_NOT_ASKED}
        ]
        for counted in plan.decisions
    }


async def two_cohorts(engine: FakeEngine) -> LinkedWorld:
    world, held = await a_linked_world(InMemoryStore(), count=3, engine=engine)
    world.engine.complete(world.ids[0], ElementId("check"))
    await world.sweep(held)
    return world


async def test_names_what_the_engine_objects_to_and_upgrades_all_the_same() -> None:
    engine = ObjectingEngine()
    plan = await planned(await two_cohorts(engine))

    assert warnings(plan) == {
        "approve": [],
        "check": [(Code.ENGINE_OBJECTS, "check", "The engine objects to this move: no such form")],
    }
    assert (plan.upgraded, plan.counts_by_finding) == (3, {Code.ENGINE_OBJECTS: 2})
    assert (engine.questions, engine.moves, engine.is_closed) == (2, [], True)


async def test_an_engine_that_does_not_answer_is_a_warning() -> None:
    world = await two_cohorts(FakeEngine())
    world.engine.faults.fault = unreachable()
    expected = (
        Code.ENGINE_NOT_ASKED,
        None,
        f"Expected to ask the engine of link 'engine' about this move, but: {unreachable().message}",
    )

    plan = await planned(world)
    assert warnings(plan) == {"approve": [expected], "check": [expected]}
    assert plan.upgraded == 3


async def test_a_link_that_leads_nowhere_is_a_warning() -> None:
    world = await two_cohorts(FakeEngine())

    def connect(_: Link) -> ProcessEngine:
        raise EngineFault(EngineFaultKind.NOT_THIS_ENGINE, "It leads nowhere.")

    plan = await with_objections(world.store, await plan_upgrade(world.store, REQUEST), connect)
    assert {code for found in warnings(plan).values() for code, _, _ in found} == {Code.ENGINE_NOT_ASKED}


async def test_an_engine_that_is_slow_holds_no_plan_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objections, "MAX_SECONDS", 0.01)
    world = await two_cohorts(FakeEngine())
    world.engine.faults.gate = asyncio.Event()

    plan = await planned(world)
    assert {code for found in warnings(plan).values() for code, _, _ in found} == {Code.ENGINE_NOT_ASKED}
    assert world.engine.is_closed


async def test_asks_about_the_largest_cohorts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objections, "MAX_COHORTS", 1)
    engine = ObjectingEngine()
    plan = await planned(await two_cohorts(engine))

    assert engine.questions == 1
    found = warnings(plan)
    assert (len(found["check"]), len(found["approve"])) == (1, 0)


async def test_the_fingerprint_does_not_depend_on_what_the_engine_says() -> None:
    world = await two_cohorts(ObjectingEngine())

    assert (await planned(world)).fingerprint == (await plan_upgrade(world.store, REQUEST)).fingerprint


async def test_a_process_that_is_not_linked_is_asked_nowhere() -> None:
    store = InMemoryStore()
    await a_process(store, ORDERS, published=2, holding=instances(range(3)))
    plan = await plan_upgrade(store, UpgradeRequest(process=ORDERS, selection=all_active()))

    def connect(_: Link) -> ProcessEngine:
        raise AssertionError("Nothing is asked.")

    assert await with_objections(store, plan, connect) == plan
