"""Whatever happens to engine, users, program and upgrade, the audit says what the engine says."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.linked_world import LinkedWorld, a_linked_world, run_until_idle
from tests.support.long_mode import IS_LONG
from tests.support.mortal import Killed, Life, MortalEngine, MortalStore
from uplift.domain import Upgrade, UpgradeState, cancel_upgrade, pause_upgrade, resume_upgrade
from uplift.domain.errors import WrongState
from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import EngineFault
from uplift.domain.use_cases.links.holding import HeldLink, LinkLostError
from uplift.domain.use_cases.links.sender import Sender
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ADMIN
from uplift.testing.engine.fake import LIKE_CAMUNDA_7, LIKE_FLOWABLE, FakeEngine
from uplift.testing.engine.faults import overloaded, unreachable

COUNT = 7


class Links(RuleBasedStateMachine):
    """One upgrade after the other of the same instances, from version 1 to version 2 or later."""

    world: LinkedWorld
    held: HeldLink
    upgrade: Upgrade | None = None

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    @initialize(traits=st.sampled_from([LIKE_CAMUNDA_7, LIKE_FLOWABLE]))
    def open(self, traits: Any) -> None:
        self.world, self.held = self.run(
            a_linked_world(InMemoryStore(), count=COUNT, engine=FakeEngine(traits))
        )
        self.sender = self.world.sender(self.held)

    @property
    def state(self) -> UpgradeState | None:
        return None if self.upgrade is None else self.run(self.world.found(self.upgrade)).state

    @rule()
    @precondition(lambda self: self.upgrade is None)
    def request(self) -> None:
        self.upgrade = self.run(self.world.order())

    @rule()
    def send(self) -> None:
        self.run(self.sender.run_once())

    @rule()
    def sweep(self) -> None:
        with suppress(EngineFault):
            self.run(self.world.sweep(self.held))

    @rule(fault=st.sampled_from([None, unreachable(), overloaded()]), times=st.integers(1, 4))
    def fail(self, fault: Any, times: int) -> None:
        self.world.engine.faults.upcoming.extend([fault] * times)

    @rule(loses=st.booleans(), doubles=st.booleans())
    def change_the_network(self, loses: bool, doubles: bool) -> None:
        self.world.engine.faults.loses_answers = loses
        self.world.engine.faults.delivers_twice = doubles

    @rule(after=st.integers(0, COUNT))
    def kill_the_engine(self, after: int) -> None:
        self.world.engine.faults.dies_after = after

    @rule()
    def restart_the_engine(self) -> None:
        self.world.engine.restart()

    @rule(index=st.integers(0, COUNT - 1))
    def refuse(self, index: int) -> None:
        self.world.engine.faults.refused[self.world.ids[index]] = "no"

    @rule(index=st.integers(0, COUNT - 1), ends=st.booleans())
    def go_on(self, index: int, ends: bool) -> None:
        """A user completes a task, or cancels an instance."""
        instance, engine = self.world.ids[index], self.world.engine
        if engine.version_of(instance) is None:
            return
        if ends:
            engine.cancel(instance)
        elif "check" in engine.position_of(instance):
            engine.complete(instance, ElementId("check"))

    @rule(end=st.integers(0, 12))
    def kill_the_program(self, end: int) -> None:
        """The holder dies at some moment, and another program takes the link over."""
        life = Life(end)
        mortal = HeldLink(
            MortalStore(self.world.store, life),
            self.held.link,
            self.held.worker,
            monotonic=self.world.clock.monotonic,
        )
        sender = Sender(
            mortal, MortalEngine(self.world.engine, life), asyncio.Event(), sleep=self.world.clock.sleep
        )
        with suppress(Killed, LinkLostError):
            self.run(sender.run_once())
        self.world.clock.pass_time(2 * self.world.lease_for.total_seconds())
        self.held = self.run(self.world.hold())
        self.sender = self.world.sender(self.held)

    @rule(change=st.sampled_from([pause_upgrade, resume_upgrade, cancel_upgrade]))
    def control(self, change: Any) -> None:
        if self.upgrade is not None:
            with suppress(WrongState):
                self.run(change(self.world.store, self.upgrade.id, caller=ADMIN))

    @rule()
    @precondition(lambda self: self.upgrade is not None)
    def finish(self) -> None:
        """Everything works again: the upgrade ends, and its audit is true."""
        assert self.upgrade is not None
        faults = self.world.engine.faults
        faults.upcoming.clear()
        faults.loses_answers = faults.delivers_twice = False
        self.world.engine.restart()
        if self.state is UpgradeState.PAUSED:
            self.run(resume_upgrade(self.world.store, self.upgrade.id, caller=ADMIN))
        self.run(run_until_idle(self.sender))
        self.run(self.world.sweep(self.held))
        self.run(self.world.require_true_audit(self.upgrade))
        faults.refused.clear()
        self.world.deploy("check", "approve", f"sign{len(self.world.versions)}")
        self.run(self.world.sweep(self.held))
        self.upgrade = None

    @invariant()
    def counts_are_right(self) -> None:
        if self.upgrade is not None:
            found = self.run(self.world.found(self.upgrade))
            assert min(found.ordered, found.sent, found.upgraded, found.skipped) >= 0
            assert found.total + found.unsettled == found.expected

    def teardown(self) -> None:
        try:
            if self.upgrade is not None:
                self.finish()
        finally:
            self.runner.close()


Links.TestCase.settings = settings(
    max_examples=400 if IS_LONG else 12, stateful_step_count=40 if IS_LONG else 25, deadline=None
)
TestLinks = Links.TestCase
