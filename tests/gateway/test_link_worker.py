"""A program holds links: it sends their orders, sweeps their engines, and stops when it should."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from standardwebhooks.webhooks import Webhook as Reference
from structlog.testing import capture_logs

from tests.engines.scripted_server import Received, ScriptedServer, reply, served
from tests.support.linked_world import LINK, ORDER, LinkedWorld
from uplift.domain import Upgrade, UpgradeState, Worker
from uplift.domain.clock import utc_now
from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.link import Link, LinkId, LinkKind, SecretPlace, Webhook
from uplift.domain.model.link_status import LinkStatus
from uplift.domain.model.linked_process import LinkedProcess
from uplift.domain.model.upgrade import Lease
from uplift.domain.ports import Store, Transaction
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind, ProcessEngine
from uplift.domain.rules import engine_health
from uplift.domain.use_cases.links.holding import release_link
from uplift.domain.use_cases.links.pulling import PullSender
from uplift.engines.webhooks import announcer
from uplift.gateway import link_worker
from uplift.gateway.link_worker import LinkWorker
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ORDERS, instances
from uplift.testing.engine.fake import FakeEngine
from uplift.testing.engine.faults import unreachable
from uplift.testing.linked_work import ENGINE, a_link, a_linked_process, found, orders_of, settle
from uplift.testing.stores import Around, instances_of
from uplift.testing.upgrade_work import request, work

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def running(
    store: Store,
    engine: FakeEngine | None,
    *,
    name: str = "program",
    stop_timeout: float = 60,
    lease_for: float = 60,
    private_webhooks: bool = True,
) -> AsyncIterator[None]:
    """Runs a worker of links during the block, then stops it; it must end."""

    def connect(link: Link) -> ProcessEngine:
        if engine is None:
            raise EngineFault(EngineFaultKind.NOT_THIS_ENGINE, f"Link '{link.name}' leads nowhere.")
        return engine

    stopping = asyncio.Event()
    worker = LinkWorker(
        store,
        Worker(name=name, lease_for=timedelta(seconds=lease_for)),
        stopping=stopping,
        stop_timeout=stop_timeout,
        connect=connect,
        private_webhooks=private_webhooks,
    )
    task = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        stopping.set()
        async with asyncio.timeout(60):
            await task


class AwayStore(Around):
    """Raises StoreUnavailable from each transaction while it is away."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.is_away = False
        self.was_asked = asyncio.Event()

    def transaction(self, *, in_background: bool = False) -> AbstractAsyncContextManager[Transaction]:
        if self.is_away:
            self.was_asked.set()
            raise StoreUnavailable("it is away")
        return self._store.transaction(in_background=in_background)


async def a_world(count: int = 5) -> LinkedWorld:
    world = LinkedWorld(store=InMemoryStore(), engine=FakeEngine())
    await world.link()
    world.deploy("check", "approve")
    world.start(count)
    return world


async def status_of(store: Store) -> LinkStatus:
    return (await store.links.statuses([LINK]))[LINK]


async def until(is_true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await is_true():  # noqa: ASYNC110  nothing tells of the end of a sweep
            await asyncio.sleep(0.01)


async def request_sweep(store: Store) -> None:
    async with store.transaction() as transaction:
        link = await transaction.links.lock(LINK)
        assert link is not None
        await link.save(replace(link.status, sweep_requested_at=utc_now()))


async def has_instances(world: LinkedWorld, count: int) -> bool:
    return len(await instances_of(world.store, ORDER)) == count


async def is_completed(world: LinkedWorld, upgrade: Upgrade) -> bool:
    return (await world.found(upgrade)).state is UpgradeState.COMPLETED


async def is_sent(world: LinkedWorld, upgrade: Upgrade) -> bool:
    return (await world.found(upgrade)).sent == 5


async def an_ordered_world() -> tuple[LinkedWorld, Upgrade]:
    """A world with orders that nobody has sent, because nobody holds the link."""
    world = await a_world()
    world.deploy("check", "approve", "sign")
    held = await world.hold()
    await world.sweep(held)
    upgrade = await world.order()
    await release_link(world.store, LINK, held.worker)
    return world, upgrade


async def test_sweeps_when_it_is_time_and_carries_out_what_is_ordered() -> None:
    world = await a_world()
    async with running(world.store, world.engine):
        await until(lambda: has_instances(world, 5))
        world.deploy("check", "approve", "sign")
        world.start(1)
        await request_sweep(world.store)
        await until(lambda: has_instances(world, 6))
        upgrade = await world.order()
        await until(lambda: is_completed(world, upgrade))
        lease = (await status_of(world.store)).lease
        assert lease is not None
        assert lease.worker == "program:link-1"
    done = await world.require_true_audit(upgrade)
    assert (done.upgraded, done.skipped) == (5, 1)
    assert (await status_of(world.store)).lease is None
    assert world.engine.is_closed


async def test_a_stop_waits_for_the_answer_of_the_engine_and_settles_it() -> None:
    world, upgrade = await an_ordered_world()
    world.engine.faults.gate = asyncio.Event()
    async with running(world.store, world.engine):
        await until(lambda: is_sent(world, upgrade))
        asyncio.get_running_loop().call_later(0.1, world.engine.faults.gate.set)
    assert (await world.require_true_audit(upgrade)).upgraded == 5


async def test_a_request_that_outlasts_the_stop_is_cancelled_and_looked_up_by_the_next_program() -> None:
    world, upgrade = await an_ordered_world()
    world.engine.faults.gate = asyncio.Event()
    with capture_logs() as logs:
        async with running(world.store, world.engine, stop_timeout=0.01):
            await until(lambda: is_sent(world, upgrade))
    assert "requests to engines cancelled by shutdown" in [line["event"] for line in logs]
    assert (await world.found(upgrade)).sent == 5
    world.engine.faults.gate = None
    async with running(world.store, world.engine, name="next"):
        await until(lambda: is_completed(world, upgrade))
    assert (await world.require_true_audit(upgrade)).upgraded == 5


async def test_a_program_that_loses_the_link_stops_to_work_for_it() -> None:
    world = await a_world()
    with capture_logs() as logs:
        async with running(world.store, world.engine, lease_for=0.3):
            await until(lambda: has_instances(world, 5))
            async with world.store.transaction() as transaction:
                link = await transaction.links.lock(LINK)
                assert link is not None
                other = Lease(worker="other", until=utc_now() + timedelta(hours=1))
                await link.save(replace(link.status, lease=other))

            async def is_closed() -> bool:
                return world.engine.is_closed

            await until(is_closed)
    assert "link lost" in [line["event"] for line in logs]
    lease = (await status_of(world.store)).lease
    assert lease is not None
    assert lease.worker == "other"


async def test_says_since_when_an_engine_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_health, "BREAKER_FAILURES", 1)
    world = await a_world()
    world.engine.faults.fault = unreachable()
    began = utc_now()
    async with running(world.store, world.engine, lease_for=0.3):

        async def is_unreachable() -> bool:
            return (await status_of(world.store)).unreachable_since is not None

        await until(is_unreachable)
        status = await status_of(world.store)
        assert status.sweep_error == unreachable().message
        assert status.unreachable_since is not None
        assert began <= status.unreachable_since <= utc_now()


async def test_a_link_that_leads_to_no_engine_says_so() -> None:
    world = await a_world()
    with capture_logs() as logs:
        async with running(world.store, None):

            async def has_error() -> bool:
                return (await status_of(world.store)).sweep_error == "Link 'engine' leads nowhere."

            await until(has_error)
    assert [line["log_level"] for line in logs if line["event"] == "engine does not answer"] == ["warning"]


async def test_the_store_may_be_away_for_a_while() -> None:
    """Neither the claim nor the work of a link is lost, and the log has no traceback."""
    world = await a_world()
    store = AwayStore(world.store)
    with capture_logs() as logs:
        async with running(store, world.engine, lease_for=0.3):
            await until(lambda: has_instances(world, 5))
            store.is_away = True
            await asyncio.wait_for(store.was_asked.wait(), 60)
            store.is_away = False
            upgrade_again = utc_now()
            await request_sweep(world.store)

            async def is_swept() -> bool:
                swept_at = (await status_of(world.store)).swept_at
                return swept_at is not None and swept_at > upgrade_again

            await until(is_swept)
    assert not [line for line in logs if line["log_level"] == "error"]


async def a_pulled_upgrade(webhook: Webhook | None = None) -> tuple[Store, Upgrade]:
    """An upgrade of five instances in an engine that pulls; its orders are not sent."""
    store = InMemoryStore()
    await a_linked_process(store, holding=instances(range(5)))
    async with store.transaction() as transaction:
        link = await transaction.links.lock(ENGINE)
        assert link is not None
        await link.remove()
        await transaction.links.add(replace(a_link(ENGINE, kind=LinkKind.PULL), webhook=webhook))
        again = await transaction.links.lock(ENGINE)
        assert again is not None
        await again.add_process(LinkedProcess(process=ORDERS, link=ENGINE, engine_key=ORDERS.code))
    upgrade = await request(store)
    await work(store, upgrade.id)
    return store, upgrade


async def test_an_engine_that_pulls_finds_its_orders_sent() -> None:
    store, upgrade = await a_pulled_upgrade()
    async with running(store, None):

        async def are_sent() -> bool:
            return len(await orders_of(store)) == 5

        await until(are_sent)
        await settle(store, range(1, 6))
    found = await store.upgrades.find(upgrade.id)
    assert found is not None
    assert (found.state, found.upgraded) == (UpgradeState.COMPLETED, 5)


SECRET = "whsec_" + "aG9v" * 8


def hook_of(server: ScriptedServer) -> Webhook:
    return Webhook(url=server.url, secret=SecretPlace(environment="UPLIFT_LINK_HOOK"))


async def webhook_error(store: Store) -> str | None:
    return (await store.links.statuses([ENGINE]))[ENGINE].webhook_error


async def test_a_webhook_wakes_the_engine_once_its_orders_can_be_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UPLIFT_LINK_HOOK", SECRET)
    fetched: list[int] = []

    async def wake(_: Received, writer: asyncio.StreamWriter) -> None:
        fetched.extend(order.number for order in await orders_of(store))
        writer.write(reply())

    async with served(wake) as server:
        store, upgrade = await a_pulled_upgrade(hook_of(server))
        async with running(store, None):

            async def is_woken() -> bool:
                return len(server.received) == 1

            await until(is_woken)
            await settle(store, range(1, 6))
    assert fetched == [1, 2, 3, 4, 5]
    (received,) = server.received
    event = Reference(SECRET).verify(received.body, received.headers)
    assert event["data"] == {"link": "engine", "upgrade": str(upgrade.id), "after": 0, "count": 5}
    assert await webhook_error(store) is None


async def test_webhooks_survive_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLIFT_LINK_HOOK", SECRET)
    monkeypatch.setattr(announcer, "SETTLED_AFTER", timedelta())
    monkeypatch.setattr(announcer, "POLL_SECONDS", 0.01)

    async with served(reply()) as server:
        store, upgrade = await a_pulled_upgrade(hook_of(server))

        async def received(count: int, name: str) -> None:
            async def has_come() -> bool:
                return len(server.received) >= count

            async with running(store, None, name=name):
                await until(has_come)

        await received(1, "first")
        await received(2, "second")
        await settle(store, range(1, 6), at=utc_now())
        await received(3, "third")
    events = [json.loads(received.body) for received in server.received]
    assert [event["type"] for event in events] == [
        "uplift.moves.ordered",
        "uplift.moves.ordered",
        "uplift.upgrade.finished",
    ]
    assert events[0]["data"] == events[1]["data"]
    assert events[2]["data"] == {"link": "engine", "upgrade": str(upgrade.id), "state": "COMPLETED"}


@pytest.mark.parametrize(
    ("answer", "private_webhooks", "message"),
    [(reply(status=500), True, "the answer is 500"), (reply(), False, "public addresses only")],
)
async def test_a_webhook_that_fails_is_shown_and_stops_nothing(
    answer: bytes, private_webhooks: bool, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPLIFT_LINK_HOOK", SECRET)
    async with served(answer) as server:
        store, upgrade = await a_pulled_upgrade(hook_of(server))
        with capture_logs() as logs:
            async with running(store, None, lease_for=0.3, private_webhooks=private_webhooks):

                async def is_shown() -> bool:
                    return message in (await webhook_error(store) or "")

                await until(is_shown)
                await settle(store, range(1, 6))
        assert (await found(store, upgrade.id)).state is UpgradeState.COMPLETED
        assert len(server.received) == (1 if private_webhooks else 0)
    assert [line["log_level"] for line in logs if line["event"] == "webhook did not arrive"] == ["warning"]


async def test_a_receiver_that_wants_no_more_webhooks_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLIFT_LINK_HOOK", SECRET)
    monkeypatch.setattr(announcer, "SETTLED_AFTER", timedelta())
    monkeypatch.setattr(announcer, "POLL_SECONDS", 0.01)
    looked_for_ends = asyncio.Event()
    announce = announcer.Announcer._announce

    async def announced(self: announcer.Announcer, upgrade: Upgrade) -> bool:
        try:
            return await announce(self, upgrade)
        finally:
            looked_for_ends.set()

    monkeypatch.setattr(announcer.Announcer, "_announce", announced)
    async with served(reply(status=410)) as server:
        store, upgrade = await a_pulled_upgrade(hook_of(server))
        with capture_logs() as logs:
            async with running(store, None, lease_for=0.3):

                async def is_shown() -> bool:
                    return "status 410" in (await webhook_error(store) or "")

                await until(is_shown)
                await settle(store, range(1, 6), at=utc_now())
                await asyncio.wait_for(looked_for_ends.wait(), 60)
        assert (await found(store, upgrade.id)).state is UpgradeState.COMPLETED
        assert [json.loads(received.body)["type"] for received in server.received] == ["uplift.moves.ordered"]
    events = [line["event"] for line in logs]
    assert "link failed" not in events
    assert events.count("link held") == events.count("link released") == 1


async def test_no_part_of_the_work_for_a_link_outlives_one_that_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UPLIFT_LINK_HOOK", SECRET)
    sending = 0
    at_release: list[int] = []
    run = PullSender.run

    async def counted(self: PullSender) -> None:
        nonlocal sending
        sending += 1
        try:
            await run(self)
        finally:
            sending -= 1

    async def fail(_: announcer.Announcer) -> None:
        raise RuntimeError("It fails.")

    async def release(store: Store, link_id: LinkId, worker: Worker) -> None:
        at_release.append(sending)
        await release_link(store, link_id, worker)

    monkeypatch.setattr(PullSender, "run", counted)
    monkeypatch.setattr(announcer.Announcer, "run", fail)
    monkeypatch.setattr(link_worker, "release_link", release)
    monkeypatch.setattr(link_worker, "CLAIM_INTERVAL", 0.01)
    async with served(reply()) as server:
        store, _ = await a_pulled_upgrade(hook_of(server))
        async with running(store, None):

            async def is_released() -> bool:
                return bool(at_release)

            await until(is_released)
    assert set(at_release) == {0}
