"""A sender dies at every moment, one after the other, and the next holder ends what it began."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from itertools import product

import pytest

from tests.support.linked_world import LinkedWorld, a_linked_world, run_until_idle
from tests.support.long_mode import IS_LONG
from tests.support.mortal import Killed, Life, MortalEngine, MortalStore
from uplift.domain import UpgradeState, cancel_upgrade, pause_upgrade, resume_upgrade
from uplift.domain.model.instance import ElementId
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.ports.process_engine import EngineTraits
from uplift.domain.use_cases.links.holding import HeldLink
from uplift.domain.use_cases.links.sender import Sender
from uplift.domain.use_cases.links.sweep import sweep
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ADMIN
from uplift.testing.engine.fake import LIKE_CAMUNDA_7, LIKE_FLOWABLE, FakeEngine

pytestmark = pytest.mark.anyio

COUNT = 5
AfterDeath = Callable[[LinkedWorld, Upgrade], Awaitable[None]]


async def nothing(_: LinkedWorld, __: Upgrade) -> None:
    """Others do nothing while no program holds the link."""


async def others_go_on(world: LinkedWorld, _: Upgrade) -> None:
    """Users go on with their work: one instance goes to the next task, another ends."""
    went_on, ended = world.ids[1], world.ids[-1]
    if "check" in world.engine.position_of(went_on):
        world.engine.complete(went_on, ElementId("check"))
    world.engine.cancel(ended)


async def cancel(world: LinkedWorld, upgrade: Upgrade) -> None:
    if not (await world.found(upgrade)).is_finished:
        await cancel_upgrade(world.store, upgrade.id, caller=ADMIN)


async def pause(world: LinkedWorld, upgrade: Upgrade) -> None:
    if not (await world.found(upgrade)).is_finished:
        await pause_upgrade(world.store, upgrade.id, caller=ADMIN)


CHECKS, DOES_NOT_CHECK = replace(LIKE_CAMUNDA_7, max_size=3), LIKE_FLOWABLE
ALL = list(product((nothing, others_go_on, cancel, pause), (CHECKS, DOES_NOT_CHECK), (False, True)))
SOME = [
    (nothing, CHECKS, False),
    (others_go_on, CHECKS, True),
    (pause, CHECKS, True),
    (cancel, DOES_NOT_CHECK, True),
]


@pytest.mark.parametrize(("after_death", "traits", "loses_answer"), ALL if IS_LONG else SOME)
async def test_a_sender_may_die_at_any_moment(
    after_death: AfterDeath, traits: EngineTraits, loses_answer: bool
) -> None:
    for end in range(1_000):
        world, held = await a_linked_world(InMemoryStore(), count=COUNT, engine=FakeEngine(traits))
        upgrade = await world.order()
        life = Life(end)
        world.engine.faults.refused[world.ids[0]] = "no"
        world.engine.faults.loses_answers = loses_answer
        with suppress(Killed):
            await run_a_while(a_mortal_sender(world, held, life))
        world.engine.faults.loses_answers = False
        await after_death(world, upgrade)
        world.clock.pass_time(2 * world.lease_for.total_seconds())
        # The next holder sweeps as well, at any time.
        held = await world.hold()
        await sweep(held, world.engine)
        await run_until_idle(world.sender(held))
        if (await world.found(upgrade)).state is UpgradeState.PAUSED:
            await resume_upgrade(world.store, upgrade.id, caller=ADMIN)
            await run_until_idle(world.sender(held))
        await sweep(held, world.engine)
        done = await world.require_true_audit(upgrade)
        assert done.total == COUNT
        if not life.has_ended:
            assert end > 2 * COUNT
            return
    raise AssertionError("Expected the sender to end by itself at last.")


def a_mortal_sender(world: LinkedWorld, held: HeldLink, life: Life) -> Sender:
    mortal = HeldLink(MortalStore(world.store, life), held.link, held.worker, monotonic=world.clock.monotonic)
    return Sender(mortal, MortalEngine(world.engine, life), asyncio.Event(), sleep=world.clock.sleep)


async def run_a_while(sender: Sender) -> None:
    for _ in range(6):
        if not await sender.run_once():
            return
