"""An Operaton that is linked to a store: starts instances there, and compares what both say at the end."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from tests.engines.operaton_harness import OperatonHarness
from uplift.domain import OutcomeKind, ProcessKey, Upgrade, Worker
from uplift.domain.clock import utc_now
from uplift.domain.model.instance import InstanceId, Position
from uplift.domain.model.link import EngineInstanceId, EngineVersionId, Link, LinkId, LinkKind
from uplift.domain.model.linked_process import instance_id_of
from uplift.domain.model.process import VersionNumber
from uplift.domain.ports import Store
from uplift.domain.ports.process_engine import ProcessEngine
from uplift.domain.use_cases.links.holding import HeldLink, claim_link
from uplift.domain.use_cases.links.sender import Sender
from uplift.domain.use_cases.links.sweep import sweep
from uplift.domain.use_cases.run import run_upgrade
from uplift.domain.use_cases.worker import claim
from uplift.engines.camunda7 import Camunda7Engine
from uplift.testing.engine.documents import tasks
from uplift.testing.stores import instances_of, outcomes_of


async def add_link(store: Store, url: str, tenant: str, *, max_rate: float | None = None) -> Link:
    """Link the processes of a tenant of the Operaton at this URL; the tenant is also their namespace."""
    link = Link(
        id=LinkId(uuid4()),
        name=tenant,
        kind=LinkKind.CAMUNDA7,
        namespace=tenant,
        url=url,
        tenant=tenant,
        created_at=utc_now(),
        created_by="admin",
        max_rate=max_rate,
    )
    async with store.transaction() as transaction:
        await transaction.links.add(link)
    return link


async def require_true_audit(
    store: Store,
    engine: ProcessEngine,
    upgrade: Upgrade,
    ids: Mapping[InstanceId, EngineInstanceId],
    versions: Sequence[EngineVersionId],
    *,
    target: int = -1,
) -> None:
    """Check that the audit says of each instance what the engine says, and so do the rows.

    `ids` are the engine's ids of all instances, and `versions` its ids of the versions from 1 on. The upgrade
    leads to the version at the index `target`.
    """
    located = await engine.locate(list(ids.values()))
    rows = {instance.id: instance for instance in await instances_of(store, upgrade.process)}
    outcomes = await outcomes_of(store, upgrade.id)
    assert len(outcomes) == len({outcome.instance for outcome in outcomes}) == upgrade.total
    assert upgrade.upgraded == sum(outcome.kind is OutcomeKind.UPGRADED for outcome in outcomes)
    for outcome in outcomes:
        version = located[ids[outcome.instance]]
        if version is not None:
            is_there = version == versions[target]
            assert is_there == (outcome.kind is OutcomeKind.UPGRADED), (outcome, version)
            assert versions[rows[outcome.instance].version - 1] == version


@dataclass(kw_only=True)
class LinkedOperaton:
    """A process of a tenant of its own, so that tests may share an Operaton."""

    store: Store
    engine: ProcessEngine
    harness: OperatonHarness
    held: HeldLink
    tenant: str
    versions: list[EngineVersionId] = field(default_factory=list)
    ids: list[EngineInstanceId] = field(default_factory=list)

    @classmethod
    @asynccontextmanager
    async def open(cls, store: Store, url: str, tenant: str = "") -> AsyncIterator["LinkedOperaton"]:
        """Link the Operaton at this URL, and hold the link."""
        tenant = tenant or f"tenant-{uuid4().hex}"
        await add_link(store, url, tenant)
        held = await claim_link(store, Worker(name=f"holder of {tenant}", lease_for=timedelta(hours=1)))
        assert held is not None
        engine = Camunda7Engine(url, tenant=tenant)
        try:
            async with OperatonHarness.open(url) as harness:
                yield cls(store=store, engine=engine, harness=harness, held=held, tenant=tenant)
        finally:
            await engine.close()

    @property
    def process(self) -> ProcessKey:
        return ProcessKey(namespace=self.tenant, code="order")

    async def deploy(self, *elements: str, document: bytes | None = None) -> EngineVersionId:
        """Deploy the next version, by default of user tasks in a row."""
        deployed = document or tasks("order", *elements)
        self.versions.append(await self.harness.deploy("order", deployed, tenant=self.tenant))
        return self.versions[-1]

    async def start(self, count: int, **variables: object) -> Sequence[EngineInstanceId]:
        """Start instances of the newest version."""
        started = await self.harness.start(self.versions[-1], count, **variables)
        self.ids += started
        return started

    async def sweep(self) -> None:
        await sweep(self.held, self.engine)

    async def run(self, upgrade: Upgrade) -> Upgrade:
        """Order all instances of an upgrade, and let the engine move them."""
        worker = Worker(name=str(uuid4()))
        if await claim(self.store, worker, only=upgrade.id) is not None:
            await run_upgrade(self.store, upgrade, worker)
        sender = Sender(self.held, self.engine, asyncio.Event())
        while await sender.run_once():
            pass
        found = await self.store.upgrades.find(upgrade.id)
        assert found is not None
        return found

    async def rows(self) -> dict[InstanceId, tuple[VersionNumber, Position, str]]:
        """What Uplift has of each instance: version, position, status."""
        return {
            instance.id: (instance.version, instance.position, instance.status.value)
            for instance in await instances_of(self.store, self.process)
        }

    def id_of(self, engine_id: EngineInstanceId) -> InstanceId:
        return instance_id_of(self.held.link.id, engine_id)

    async def require_true_audit(self, upgrade: Upgrade, *, target: int = -1) -> None:
        """Check that the audit says of each instance what the engine says, and so do the rows."""
        ids = {self.id_of(engine_id): engine_id for engine_id in self.ids}
        await require_true_audit(self.store, self.engine, upgrade, ids, self.versions, target=target)
