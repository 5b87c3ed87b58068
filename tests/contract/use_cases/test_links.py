"""Linked engines on each of our stores: what is swept, ordered, sent and settled."""

import pytest

from tests.support.linked_world import a_linked_world, run_until_idle
from uplift.domain import (
    ReasonCode,
    UndoRequest,
    UpgradeState,
    cancel_upgrade,
    pause_upgrade,
    request_undo,
    resume_upgrade,
)
from uplift.domain.model.instance import ElementId
from uplift.domain.model.linked_process import instance_id_of
from uplift.domain.ports import Store
from uplift.testing.builders import ADMIN
from uplift.testing.engine.faults import unreachable

pytestmark = pytest.mark.anyio

CHECK = ElementId("check")


async def test_upgrades_what_the_engine_moves_and_undoes_it(store: Store) -> None:
    world, held = await a_linked_world(store, count=12)
    upgrade = await world.order()
    went_on, ended, refused = world.ids[:3]
    world.engine.complete(went_on, CHECK)
    world.engine.cancel(ended)
    world.engine.faults.refused[refused] = "no"
    await run_until_idle(world.sender(held))

    done = await world.require_true_audit(upgrade)
    assert (done.state, done.upgraded, dict(done.refusals)) == (
        UpgradeState.COMPLETED,
        9,
        {ReasonCode.MOVED_ON: 1, ReasonCode.INSTANCE_NOT_FOUND: 1, ReasonCode.ENGINE_REFUSED: 1},
    )
    undo = await request_undo(store, UndoRequest(upgrade_id=done.id), caller=ADMIN, worker=world.worker())
    await world.run_chunks(undo)
    await run_until_idle(world.sender(held))
    assert (await world.require_true_audit(undo, target=0)).upgraded == 9


async def test_a_fault_a_pause_and_a_cancellation_lose_nothing(store: Store) -> None:
    world, held = await a_linked_world(store, count=12)
    upgrade = await world.order()
    sender = world.sender(held)
    world.engine.faults.loses_answers = True
    await sender.run_once()
    world.engine.faults.loses_answers = False
    world.engine.faults.upcoming.append(unreachable())
    await sender.run_once()
    await pause_upgrade(store, upgrade.id, caller=ADMIN)
    await run_until_idle(sender)
    await resume_upgrade(store, upgrade.id, caller=ADMIN)
    await run_until_idle(sender)
    assert (await world.require_true_audit(upgrade)).upgraded == 12

    world.deploy("check", "sign")
    await world.sweep(held)
    second = await world.order()
    await cancel_upgrade(store, second.id, caller=ADMIN)
    await run_until_idle(sender)
    assert (await world.require_true_audit(second)).refusals == {ReasonCode.CANCELLED: 12}


async def test_a_sweep_stores_what_changed_and_leaves_orders_alone(store: Store) -> None:
    world, held = await a_linked_world(store, count=5)
    went_on, ended = world.ids[:2]
    world.engine.complete(went_on, CHECK)
    world.engine.cancel(ended)
    (started,) = world.start(1)
    await world.sweep(held)
    rows = await world.rows()
    of = {engine_id: rows[instance_id_of(held.link.id, engine_id)] for engine_id in world.ids}
    assert of[went_on] == (1, frozenset({"approve"}), "PENDING")
    assert of[ended] == (1, frozenset({"check"}), "COMPLETED")
    assert of[started] == (2, frozenset({"check"}), "PENDING")

    upgrade = await world.order()
    world.engine.cancel(went_on)
    await world.sweep(held)
    assert (await world.rows())[instance_id_of(held.link.id, went_on)][2] == "PENDING"
    await run_until_idle(world.sender(held))
    assert (await world.require_true_audit(upgrade)).upgraded == 3
    await world.sweep(held)
    assert (await world.rows())[instance_id_of(held.link.id, went_on)][2] == "COMPLETED"
