"""Does the worker go on whatever it meets, and end when it is told to?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import httpx2
import pytest
from gateway_world import a_world, break_table
from structlog.testing import capture_logs

from domain import InMemoryStore, Upgrade, UpgradeId
from domain.access import Role
from domain.errors import StoreUnavailable
from domain.ports import Store
from gateway.app import build_app
from gateway.keys import create_key
from gateway.settings import Settings
from gateway.worker import UpgradeWorker
from storage.keys import SqlKeys
from storage.store import SqlStore
from tests.support.builders import a_worker

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def working(store: Store, *, patience: float = 60) -> AsyncIterator[None]:
    """A worker that runs meanwhile, and must have ended when it was told to."""
    stopping = asyncio.Event()
    worker = UpgradeWorker(store, a_worker(), at_once=1, stopping=stopping, patience=patience)
    running = asyncio.create_task(worker.run())
    yield
    stopping.set()
    async with asyncio.timeout(10):
        await running


class LockedStore(InMemoryStore):
    """Never answers a worker, and never has news."""

    def __init__(self) -> None:
        super().__init__()
        self.is_waited_for = asyncio.Event()

    async def claimable(self, now: datetime, *, only: UpgradeId | None = None) -> Upgrade | None:
        raise StoreUnavailable("it is locked by another program")

    async def wait_for_change(self, seconds: float) -> None:
        self.is_waited_for.set()
        await asyncio.Event().wait()


async def test_a_worker_that_waits_for_the_store_ends_at_once() -> None:
    store = LockedStore()
    with capture_logs() as logs:
        async with working(store):
            await store.is_waited_for.wait()
    assert [line["event"] for line in logs] == ["the worker waits for the store"]


class SilentStore(InMemoryStore):
    """Leaves a question without an answer."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = asyncio.Event()

    async def claimable(self, now: datetime, *, only: UpgradeId | None = None) -> Upgrade | None:
        self.is_asked.set()
        await asyncio.Event().wait()
        return None


async def test_what_takes_longer_than_its_patience_is_cut_off() -> None:
    store = SilentStore()
    with capture_logs() as logs:
        async with working(store, patience=0.01):
            await store.is_asked.wait()
    assert [line["event"] for line in logs] == ["work was cut off by the stop"]


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
    assert "the worker could not take an upgrade" in [line["event"] for line in logs]
