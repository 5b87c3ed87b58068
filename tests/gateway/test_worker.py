"""The worker survives errors of the store, and stops when it should."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import httpx2
import pytest
from structlog.testing import capture_logs

from tests.gateway.gateway_world import a_world, break_table
from tests.support.postgres import the_server
from tests.support.stores import Overlay, an_open_database, overlay
from uplift.domain import Upgrade, UpgradeId, UpgradeState, Worker, all_active, request_upgrade
from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.access import Role
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.ports import HeldPartition, Store, Transaction
from uplift.domain.use_cases.watch import wait_until_finished
from uplift.gateway import settings
from uplift.gateway.app import build_app
from uplift.gateway.auth.keys import create_key
from uplift.gateway.settings import Settings
from uplift.gateway.worker import UpgradeWorker
from uplift.storage.memory import InMemoryStore
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, a_worker, instances
from uplift.testing.stores import Around, instances_of, outcomes_of

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def running_worker(store: Store, *, stop_timeout: float = 60) -> AsyncIterator[None]:
    """Runs a worker during the block, then stops it; it must end."""
    stopping = asyncio.Event()
    worker = UpgradeWorker(store, a_worker(), concurrency=1, stopping=stopping, stop_timeout=stop_timeout)
    running = asyncio.create_task(worker.run())
    yield
    stopping.set()
    async with asyncio.timeout(10):
        await running


class LockedStore(InMemoryStore):
    """Is unavailable to workers, and never notifies of a change."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waited_for = asyncio.Event()
        overlaid = Overlay(self.upgrades, claimable=self._claimable)
        self.upgrades = overlaid  # type: ignore[assignment]  # the fault

    async def _claimable(
        self, now: datetime, *, only: UpgradeId | None = None, passing_over: Collection[UpgradeId] = ()
    ) -> Upgrade | None:
        raise StoreUnavailable("it is locked by another program")

    async def wait_for_change(self, seconds: float) -> None:
        self.is_waited_for.set()
        await asyncio.Event().wait()


async def test_a_worker_that_waits_for_the_store_ends_at_once() -> None:
    store = LockedStore()
    with capture_logs() as logs:
        async with running_worker(store):
            await store.is_waited_for.wait()
    assert [line["event"] for line in logs] == ["worker waits for the store"]


class SilentStore(InMemoryStore):
    """Never answers the claim."""

    def __init__(self) -> None:
        super().__init__()
        self.is_polled = asyncio.Event()
        overlaid = Overlay(self.upgrades, claimable=self._claimable)
        self.upgrades = overlaid  # type: ignore[assignment]  # the fault

    async def _claimable(
        self, now: datetime, *, only: UpgradeId | None = None, passing_over: Collection[UpgradeId] = ()
    ) -> Upgrade | None:
        self.is_polled.set()
        await asyncio.Event().wait()
        return None


async def test_what_takes_longer_than_the_stop_timeout_is_cancelled() -> None:
    store = SilentStore()
    with capture_logs() as logs:
        async with running_worker(store, stop_timeout=0.01):
            await store.is_polled.wait()
    assert [line["event"] for line in logs] == ["chunks cancelled by shutdown"]


class TogetherStore(Around):
    """Holds each worker before its first chunk, and sets an event when all of them wait."""

    def __init__(self, store: Store, *, many: int) -> None:
        super().__init__(store)
        self.workers: set[str] = set()
        self._many = many
        self.are_all_there = asyncio.Event()
        self.may_go_on = asyncio.Event()

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[Transaction]:
        async with self._store.transaction(in_background=in_background) as transaction:

            async def lock_held(upgrade_id: UpgradeId, worker: str, now: datetime) -> HeldPartition | None:
                await self.wait_with(worker)
                return await transaction.partitions.lock_held(upgrade_id, worker, now)

            yield overlay(transaction, partitions=Overlay(transaction.partitions, lock_held=lock_held))

    async def wait_with(self, worker: str) -> None:
        self.workers.add(worker)
        if len(self.workers) == self._many:
            self.are_all_there.set()
        await self.may_go_on.wait()


class FaultyStore(TogetherStore):
    """Fails in the first chunk."""

    has_failed = False

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[Transaction]:
        async with super().transaction(in_background=in_background) as transaction:
            if in_background and not self.has_failed:
                self.has_failed = True
                raise StoreUnavailable("it is locked by another program")
            yield transaction


async def test_a_worker_never_has_the_name_of_one_whose_lease_may_still_stand() -> None:
    """The first claim is committed, but its answer is lost. The same name would then have two partitions."""
    store = FaultyStore(InMemoryStore(), many=1)
    store.may_go_on.set()
    await a_process(store, holding=instances(range(9)))
    queued = await request_upgrade(
        store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN, worker=a_worker(size=1)
    )
    stopping = asyncio.Event()
    named = Worker(name="here", lease_for=timedelta(milliseconds=1))
    worker = UpgradeWorker(store, named, concurrency=1, stopping=stopping, stop_timeout=60)
    async with asyncio.timeout(30):
        running = asyncio.create_task(worker.run())
        done = await wait_until_finished(store, queued)
        stopping.set()
        await running
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 9)
    assert store.workers == {"here:2"}


async def test_a_server_works_on_one_upgrade_with_several_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "PARTITION_SIZE", 40)
    holding = instances(range(1_000))
    async with asyncio.timeout(60), the_server().database() as url, an_open_database(url) as opened:
        await a_process(opened, holding=holding)
        requested = await request_upgrade(
            opened,
            UpgradeRequest(process=ORDERS, selection=all_active()),
            caller=ADMIN,
            worker=a_worker(size=1),
        )
        store = TogetherStore(opened, many=2)
        app = build_app(
            cast(SqlStore, store), Settings(database_url=url.render_as_string(), worker_concurrency=2)
        )
        async with app.router.lifespan_context(app):
            await store.are_all_there.wait()
            partitions = (await opened.partitions.remaining([requested.id]))[requested.id]
            names = sorted(store.workers)
            store.may_go_on.set()
            done = await wait_until_finished(opened, requested)
        outcomes = await outcomes_of(opened, requested.id)
        moved = await instances_of(opened, ORDERS)
        assert (await opened.partitions.remaining([requested.id]))[requested.id] == ()
    assert [partition.lease.worker for partition in partitions if partition.lease] == names
    assert {name.rpartition(":")[2] for name in names} == {"1", "2"}
    assert len({name.rpartition(":")[0] for name in names}) == 1
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 1_000, 0)
    assert [(outcome.instance, outcome.to_version) for outcome in outcomes] == [
        (instance.id, 2) for instance in holding
    ]
    assert [(instance.id, instance.version) for instance in moved] == [
        (instance.id, 2) for instance in holding
    ]


async def test_a_broken_file_neither_ends_the_worker_nor_shows_in_a_reply(folder: Path) -> None:
    file = folder / "uplift.sqlite"
    store = await SqlStore.open(file)
    await a_world(store)
    _, token = await create_key(SqlKeys(store.database), name="tester", role=Role.READER)
    await store.close()
    break_table(file, "upgrade")
    store = await SqlStore.open(file)
    app = build_app(store, Settings())
    transport = httpx2.ASGITransport(app)
    with capture_logs() as logs:
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://uplift.test") as client,
        ):
            reply = await client.post(
                "/graphql",
                json={"query": "{ upgrades { nodes { id } } }"},
                headers={"authorization": f"Bearer {token}"},
            )
            assert (await client.get("/healthz")).status_code == 200
    await store.close()
    (error,) = reply.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert "malformed" not in reply.text
    assert [line for line in logs if line.get("error_id") == error["extensions"]["id"]]
    assert "worker could not claim an upgrade" in [line["event"] for line in logs]
