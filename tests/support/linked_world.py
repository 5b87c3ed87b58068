"""A linked process in a fake engine, and what its audit must say at the end."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from uplift.domain import (
    Outcome,
    OutcomeKind,
    ProcessKey,
    ReasonCode,
    Selection,
    Upgrade,
    Worker,
)
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.model.instance import InstanceId
from uplift.domain.model.link import EngineInstanceId, EngineVersionId, Link, LinkId, LinkKind
from uplift.domain.model.linked_process import instance_id_of
from uplift.domain.model.selection import all_active
from uplift.domain.ports import Store
from uplift.domain.rules.engine_health import Backoff, Breaker
from uplift.domain.use_cases.links.holding import HeldLink, claim_link
from uplift.domain.use_cases.links.sender import Sender
from uplift.domain.use_cases.links.sweep import sweep
from uplift.domain.use_cases.run import run_upgrade
from uplift.domain.use_cases.worker import claim
from uplift.testing.builders import NOON, an_id
from uplift.testing.engine.documents import tasks
from uplift.testing.engine.fake import FakeEngine
from uplift.testing.stores import instances_of, outcomes_of
from uplift.testing.upgrade_work import request

LINK = LinkId(an_id(7_000))
KEY = "order"
ORDER = ProcessKey(namespace="engine", code=KEY)
SECOND = timedelta(seconds=1)


class MovingClock:
    """A clock that goes on by a millisecond at each look, and by what `sleep` waits."""

    def __init__(self) -> None:
        self._seconds = 0.0

    def __call__(self) -> datetime:
        self._seconds += 0.001
        return NOON + self._seconds * SECOND

    def monotonic(self) -> float:
        self._seconds += 0.001
        return self._seconds

    def pass_time(self, seconds: float) -> None:
        """Let time pass at once."""
        self._seconds += seconds

    async def sleep(self, seconds: float) -> None:
        """Return at once, after so many seconds by this clock."""
        self.pass_time(seconds)
        await asyncio.sleep(0)


@dataclass(kw_only=True)
class LinkedWorld:
    """A store that is linked to an engine with two versions of a process."""

    store: Store
    engine: FakeEngine
    clock: MovingClock = field(default_factory=MovingClock)
    lease_for: timedelta = timedelta(days=1)
    versions: list[EngineVersionId] = field(default_factory=list)
    ids: list[EngineInstanceId] = field(default_factory=list)

    async def link(self, max_rate: float | None = None, link: LinkId = LINK, name: str = "engine") -> Link:
        """Link the engine."""
        new = Link(
            id=link,
            name=name,
            kind=LinkKind.CAMUNDA7,
            namespace=ORDER.namespace,
            url="http://engine.example/engine-rest",
            created_at=NOON,
            created_by="admin",
            max_rate=max_rate,
        )
        async with self.store.transaction() as transaction:
            await transaction.links.add(new)
        return new

    def deploy(self, *elements: str) -> EngineVersionId:
        """Deploy the next version, with user tasks in a row."""
        self.versions.append(self.engine.deploy(KEY, tasks(KEY, *elements)))
        return self.versions[-1]

    def start(self, count: int) -> list[EngineInstanceId]:
        """Start instances of the newest version."""
        started = self.engine.start(self.versions[-1], count)
        self.ids += started
        return started

    def worker(self, name: str = "") -> Worker:
        policy = ChunkPolicy(inline_limit=1, initial_size=7, min_size=7, max_size=7, pause=timedelta())
        return Worker(
            name=name or f"worker {uuid4()}",
            chunk_policy=policy,
            clock=self.clock,
            lease_for=self.lease_for,
        )

    async def hold(self, store: Store | None = None) -> HeldLink:
        """Claim the link for a new worker."""
        claimed = await claim_link(store or self.store, self.worker())
        assert claimed is not None, "no link can be claimed"
        return HeldLink(claimed.store, claimed.link, claimed.worker, monotonic=self.clock.monotonic)

    async def sweep(self, held: HeldLink) -> None:
        await sweep(held, self.engine)

    def sender(self, held: HeldLink, breaker: Breaker | None = None) -> Sender:
        return Sender(
            held,
            self.engine,
            asyncio.Event(),
            breaker=breaker,
            backoff=Backoff(random=lambda: 1.0),
            sleep=self.clock.sleep,
        )

    async def order(self, selection: Selection | None = None, **more: object) -> Upgrade:
        """Request an upgrade, and order all its instances."""
        worker = self.worker()
        upgrade = await request(self.store, selection or all_active(), process=ORDER, worker=worker, **more)
        return await self.run_chunks(upgrade)

    async def run_chunks(self, upgrade: Upgrade) -> Upgrade:
        worker = self.worker()
        claimed = await claim(self.store, worker, only=upgrade.id)
        assert claimed is not None
        return await run_upgrade(self.store, claimed, worker)

    async def found(self, upgrade: Upgrade) -> Upgrade:
        found = await self.store.upgrades.find(upgrade.id)
        assert found is not None
        return found

    async def outcomes(self, upgrade: Upgrade) -> dict[EngineInstanceId, Outcome]:
        by_id = {instance_id_of(LINK, engine_id): engine_id for engine_id in self.ids}
        return {by_id[outcome.instance]: outcome for outcome in await outcomes_of(self.store, upgrade.id)}

    async def rows(self) -> dict[InstanceId, tuple[int, frozenset[str], str]]:
        """What Uplift has of each instance: version, position, status."""
        return {
            instance.id: (instance.version, frozenset(instance.position), instance.status.value)
            for instance in await instances_of(self.store, ORDER)
        }

    async def require_true_audit(self, upgrade: Upgrade, *, target: int = -1) -> Upgrade:
        """Check that the finished upgrade says of each instance what its engine says; return the upgrade."""
        done = await self.found(upgrade)
        outcomes = await self.outcomes(upgrade)
        rows = await self.rows()
        assert (done.ordered, done.sent) == (0, 0)
        assert done.is_finished
        assert len(outcomes) == done.total
        upgraded = [engine_id for engine_id, outcome in outcomes.items() if not outcome.reasons]
        assert done.upgraded == len(upgraded)
        for engine_id, outcome in outcomes.items():
            version = self.engine.version_of(engine_id)
            is_there = version == self.versions[target]
            assert outcome.kind is not OutcomeKind.ORDERED
            if outcome.reasons and outcome.reasons[0].code is ReasonCode.ALREADY_LATEST:
                assert is_there
                continue
            if version is None:
                continue  # it has ended since then, or before: its outcome says which
            assert is_there == (outcome.kind is OutcomeKind.UPGRADED), (engine_id, outcome, version)
            if is_there:
                row = rows[instance_id_of(LINK, engine_id)]
                assert self.versions[row[0] - 1] == version
                assert row[1] == self.engine.position_of(engine_id)
        return done


async def a_linked_world(
    store: Store, *, count: int = 20, engine: FakeEngine | None = None, max_rate: float | None = None
) -> tuple[LinkedWorld, HeldLink]:
    """A world with instances that wait at 'check' of version 1 and a version 2, swept by a holder."""
    world = LinkedWorld(store=store, engine=engine or FakeEngine())
    await world.link(max_rate)
    world.deploy("check", "approve")
    world.start(count)
    world.deploy("check", "approve", "sign")
    held = await world.hold()
    await world.sweep(held)
    return world, held


async def run_until_idle(sender: Sender, rounds: int = 200) -> None:
    """Let a sender work until it has nothing to do."""
    for _ in range(rounds):
        if not await sender.run_once():
            return
    raise AssertionError(f"Expected the sender to end within {rounds} rounds.")
