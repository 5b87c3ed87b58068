"""A sender carries out the orders of a link in its engine, and settles them by the engine's answers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.linked_world import ORDER, LinkedWorld, a_linked_world, run_until_idle
from uplift.domain import (
    ByIds,
    ReasonCode,
    UndoRequest,
    Upgrade,
    UpgradeState,
    cancel_upgrade,
    pause_upgrade,
    request_undo,
    resume_upgrade,
)
from uplift.domain.model.instance import ElementId
from uplift.domain.model.linked_process import instance_id_of
from uplift.domain.ports.process_engine import EngineInstanceId, EngineTraits, EngineVersionId
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ADMIN
from uplift.testing.engine.fake import LIKE_CAMUNDA_8, LIKE_FLOWABLE, FakeEngine
from uplift.testing.engine.harness import a_plan
from uplift.testing.upgrade_work import request

pytestmark = pytest.mark.anyio

CHECK = ElementId("check")


async def reasons(world: LinkedWorld, upgrade: Upgrade) -> dict[EngineInstanceId, ReasonCode]:
    outcomes = await world.outcomes(upgrade)
    return {engine_id: outcome.reasons[0].code for engine_id, outcome in outcomes.items() if outcome.reasons}


async def test_moves_all_instances_in_the_engine_and_completes_the_upgrade() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=250)
    world.engine.faults.delay = 0.001
    upgrade = await world.order()
    assert (upgrade.state, upgrade.ordered) == (UpgradeState.RUNNING, 250)

    await run_until_idle(world.sender(held))

    done = await world.require_true_audit(upgrade)
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 250, 0)
    assert [len(move.ids) for move in world.engine.moves] == [100, 100, 50]
    assert world.engine.most_at_once == 2
    assert done.rate is not None


async def test_instances_that_others_changed_since_they_were_ordered_are_not_moved() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=20)
    upgrade = await world.order()
    went_on, ended, migrated = world.ids[:3]
    world.engine.complete(went_on, CHECK)
    world.engine.cancel(ended)
    await world.engine.move(a_plan(world.versions[0], world.versions[1], check="check"), [migrated])

    await run_until_idle(world.sender(held))

    done = await world.require_true_audit(upgrade)
    assert await reasons(world, upgrade) == {
        went_on: ReasonCode.MOVED_ON,
        ended: ReasonCode.INSTANCE_NOT_FOUND,
    }
    assert (done.upgraded, done.skipped, done.refused) == (18, 2, 2)


async def test_what_the_engine_refuses_is_skipped_with_its_message() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=5)
    world.engine.faults.refused[world.ids[2]] = "a listener failed"
    upgrade = await world.order()

    await run_until_idle(world.sender(held))

    await world.require_true_audit(upgrade)
    outcome = (await world.outcomes(upgrade))[world.ids[2]]
    assert [(reason.code, reason.message) for reason in outcome.reasons] == [
        (ReasonCode.ENGINE_REFUSED, "a listener failed")
    ]


async def test_an_engine_that_does_not_check_the_source_is_asked_before() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=6, engine=FakeEngine(LIKE_FLOWABLE))
    upgrade = await world.order()
    third = world.deploy("check")
    gone, moved_on = world.ids[:2]
    world.engine.cancel(gone)
    await world.engine.move(a_plan(world.versions[0], third, check="check"), [moved_on])

    await run_until_idle(world.sender(held))

    await world.require_true_audit(upgrade, target=1)
    assert await reasons(world, upgrade) == {
        gone: ReasonCode.INSTANCE_NOT_FOUND,
        moved_on: ReasonCode.MOVED_ON,
    }
    assert world.engine.version_of(moved_on) == third


class LaggingEngine(FakeEngine):
    """Its first look-up of some instances is older than their last move."""

    def __init__(self, traits: EngineTraits) -> None:
        super().__init__(traits)
        self.stale: dict[EngineInstanceId, EngineVersionId] = {}
        self.located: list[EngineInstanceId] = []

    async def locate(
        self, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, EngineVersionId | None]:
        self.located += ids
        found = dict(await super().locate(ids))
        return found | {key: self.stale.pop(key) for key in ids if key in self.stale}


async def test_only_a_look_up_that_speaks_against_sending_is_repeated() -> None:
    engine = LaggingEngine(replace(LIKE_CAMUNDA_8, settles_after=timedelta(milliseconds=1)))
    world, held = await a_linked_world(InMemoryStore(), count=4, engine=engine)
    upgrade = await world.order()
    third = world.deploy("check")
    engine.stale[world.ids[0]] = third

    await run_until_idle(world.sender(held))

    done = await world.require_true_audit(upgrade, target=1)
    assert (done.upgraded, done.skipped) == (4, 0)
    assert sorted(engine.located) == sorted([*world.ids, world.ids[0]])


async def test_a_pause_stops_sending_until_the_upgrade_is_resumed() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=20)
    upgrade = await world.order()
    await pause_upgrade(world.store, upgrade.id, caller=ADMIN)

    await run_until_idle(world.sender(held))
    assert (world.engine.moves, (await world.found(upgrade)).ordered) == ([], 20)

    await resume_upgrade(world.store, upgrade.id, caller=ADMIN)
    await run_until_idle(world.sender(held))
    assert (await world.found(upgrade)).upgraded == 20


async def test_a_cancelled_upgrade_sends_nothing_more() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=20)
    upgrade = await world.order()
    await cancel_upgrade(world.store, upgrade.id, caller=ADMIN)

    await run_until_idle(world.sender(held))

    done = await world.require_true_audit(upgrade)
    assert (world.engine.moves, done.state, done.skipped) == ([], UpgradeState.CANCELLED, 20)
    assert set((await reasons(world, upgrade)).values()) == {ReasonCode.CANCELLED}


async def test_sends_no_faster_than_the_rate_of_the_link() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=100, max_rate=10)
    upgrade = await world.order()
    began = world.clock.monotonic()

    await run_until_idle(world.sender(held))

    # The first request of each lane waits for none.
    assert world.clock.monotonic() - began > (100 - 2 * 10) / 10
    assert max(len(move.ids) for move in world.engine.moves) == 10
    assert (await world.found(upgrade)).upgraded == 100


async def test_an_undo_moves_the_instances_back() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=10)
    upgrade = await world.order()
    await run_until_idle(world.sender(held))
    went_on = world.ids[0]
    world.engine.complete(went_on, CHECK)

    undo = await request_undo(
        world.store, UndoRequest(upgrade_id=upgrade.id), caller=ADMIN, worker=world.worker()
    )
    await world.run_chunks(undo)
    await run_until_idle(world.sender(held))

    await world.require_true_audit(undo, target=0)
    assert await reasons(world, undo) == {went_on: ReasonCode.MOVED_ON}
    assert Counter(world.engine.version_of(engine_id) for engine_id in world.ids) == {
        world.versions[0]: 9,
        world.versions[1]: 1,
    }


async def test_an_upgrade_of_few_instances_is_sent_like_any_other() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=3)
    selected = instance_id_of(held.link.id, world.ids[1])
    upgrade = await request(world.store, ByIds(ids=(selected,)), process=ORDER, worker=world.worker())
    assert (upgrade.state, upgrade.ordered) == (UpgradeState.RUNNING, 1)

    await run_until_idle(world.sender(held))

    await world.require_true_audit(upgrade)
    assert [world.engine.version_of(engine_id) for engine_id in world.ids] == [
        world.versions[0],
        world.versions[1],
        world.versions[0],
    ]


async def test_a_version_that_the_engine_never_had_is_refused() -> None:
    world, held = await a_linked_world(InMemoryStore(), count=3)
    upgrade = await world.order()
    world.store._committed.state.linked_versions.clear()  # type: ignore[attr-defined]

    await run_until_idle(world.sender(held))

    assert set((await reasons(world, upgrade)).values()) == {ReasonCode.ENGINE_REFUSED}
    assert (await world.found(upgrade)).state is UpgradeState.COMPLETED
