"""Tests that a client waits for the end of its upgrade, and that the upgrade never waits for a client."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette

from tests.rest_compat.support.rest_work import soon, the_upgrade, until_idle
from tests.rest_compat.support.rest_world import ADMIN, ORDERS, add_world, ask, authenticate, path_of
from tests.support.stores import Overlay
from tests.support.workers import a_worker, run_next_upgrade, running_worker
from uplift.domain import (
    UpgradeId,
    UpgradeState,
    Worker,
    cancel_upgrade,
    claim,
    pause_upgrade,
    resume_upgrade,
)
from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.ports import Store
from uplift.domain.use_cases.worker import fail_upgrade
from uplift.rest_compat.routes import rest_routes
from uplift.testing.stores import Around

pytestmark = pytest.mark.anyio

ALL_ACTIVE = {"updateAllActive": True}
"""Four instances: two chunks of `a_worker`."""

SECRET = "OperationalError: no such table: outcome"


@pytest.fixture
def rest_worker() -> Worker:
    return a_worker()


@pytest.fixture
def worker_runs() -> None:
    """Replaces the worker by none; the tests run upgrades themselves."""


@dataclass
class Client:
    """A client of an ASGI application that can disconnect."""

    leaves: asyncio.Event = field(default_factory=asyncio.Event)
    got: list[dict[str, Any]] = field(default_factory=list)
    body: bytes = json.dumps(ALL_ACTIVE).encode()

    def request(self, store: Store, worker: Worker) -> asyncio.Task[None]:
        """Runs the application on the request of this client."""
        scope = {
            "type": "http",
            "method": "POST",
            "path": path_of(ORDERS),
            "headers": [(b"authorization", b"Bearer admin-key")],
        }
        app = Starlette(routes=rest_routes(store, authenticate, worker))
        messages = [{"type": "http.request", "body": self.body}]

        async def receive() -> dict[str, Any]:
            if messages:
                return messages.pop()
            await self.leaves.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self.got.append(message)

        async def run() -> None:
            await app(scope, receive, send)

        return asyncio.create_task(run())


async def until_requested(store: Store, count: int = 1) -> None:
    """Returns when this number of upgrades is stored."""

    async def all_are_stored() -> bool | None:
        return len((await store.upgrades.page(None, PageRequest(first=100))).items) == count or None

    await soon(all_are_stored)


async def test_answers_when_a_worker_has_finished_the_upgrade(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    async with running_worker(rest_store, rest_worker):
        reply = await ask(client, ALL_ACTIVE)
    content = reply.json()
    assert (reply.status_code, content["success"], "state" in content) == (200, True, False)
    assert (content["total"], content["updated"], content["skipped"]) == (4, 2, 2)


async def test_waits_while_no_worker_runs(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    requesting = asyncio.create_task(ask(client, ALL_ACTIVE))
    await until_requested(rest_store)
    await run_next_upgrade(rest_store, rest_worker, chunks=1)
    await asyncio.sleep(0.05)
    assert not requesting.done()
    await run_next_upgrade(rest_store, rest_worker)
    assert (await requesting).json()["total"] == 4


async def test_waits_while_an_operator_pauses(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    requesting = asyncio.create_task(ask(client, ALL_ACTIVE))
    upgrade = await soon(lambda: the_upgrade(rest_store))
    await pause_upgrade(rest_store, upgrade.id, caller=ADMIN)
    async with running_worker(rest_store, rest_worker):
        await asyncio.sleep(0.05)
        assert not requesting.done()
        await resume_upgrade(rest_store, upgrade.id, caller=ADMIN)
        assert (await requesting).json()["total"] == 4


async def test_a_cancelled_upgrade_is_a_conflict_with_its_counts(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    requesting = asyncio.create_task(ask(client, ALL_ACTIVE))
    upgrade = await soon(lambda: the_upgrade(rest_store))
    await run_next_upgrade(rest_store, rest_worker, chunks=1)
    await cancel_upgrade(rest_store, upgrade.id, caller=ADMIN)
    reply = await requesting
    content = reply.json()
    assert (reply.status_code, content["code"], content["success"]) == (409, "UPGRADE_CANCELLED", False)
    assert content["error"] == (
        f"Expected upgrade {upgrade.id} to be completed, but it was cancelled after 2 of about 4 instances. "
        "What was done to these stays done."
    )
    assert (content["upgradeId"], content["total"], content["updated"]) == (str(upgrade.id), 2, 2)


async def test_a_failed_upgrade_is_an_error_whose_cause_is_masked(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    requesting = asyncio.create_task(ask(client, ALL_ACTIVE))
    await until_requested(rest_store)
    claimed = await claim(rest_store, rest_worker)
    assert claimed is not None
    await fail_upgrade(rest_store, claimed, rest_worker, SECRET)
    reply = await requesting
    content = reply.json()
    assert (reply.status_code, content["code"], content["total"]) == (500, "UPGRADE_FAILED", 0)
    assert "failed by an error of the server after 0 of about 4 instances" in content["error"]
    assert SECRET not in reply.text


class LosingStore(Around):
    """Fails to read upgrades once it is lost."""

    lost = False

    @property
    def upgrades(self) -> Overlay:
        return Overlay(self._store.upgrades, find_many=self._find_upgrades)

    async def _find_upgrades(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, Upgrade]:
        if self.lost:
            raise StoreUnavailable("it is locked by another program")
        return await self._store.upgrades.find_many(ids)


class TestStoreThatIsLost:
    """A store that fails after the upgrade is stored."""

    @pytest.fixture
    async def rest_store(self, rest_store: Store) -> LosingStore:
        return LosingStore(rest_store)

    async def test_its_client_learns_where_to_ask_later(
        self, client: httpx2.AsyncClient, rest_store: LosingStore, rest_worker: Worker
    ) -> None:
        requesting = asyncio.create_task(ask(client, ALL_ACTIVE))
        upgrade = await soon(lambda: the_upgrade(rest_store))
        rest_store.lost = True
        reply = await requesting
        assert (reply.status_code, reply.json()["code"]) == (503, "STORE_UNAVAILABLE")
        assert str(upgrade.id) in reply.json()["error"]
        assert int(reply.headers["retry-after"]) > 0
        rest_store.lost = False
        await run_next_upgrade(rest_store, rest_worker)
        status = await client.get(reply.headers["location"], headers={"authorization": "Bearer reader-key"})
        assert (status.json()["state"], status.json()["total"]) == ("COMPLETED", 4)


class TestServerThatStops:
    """A server that stops while its clients wait."""

    @pytest.mark.parametrize(
        ("prefer", "status", "shown"),
        [
            ({}, 503, ("code", "SERVER_STOPS")),
            ({"prefer": "respond-async, wait=60"}, 202, ("state", "QUEUED")),
        ],
        ids=["no preference", "rather not wait"],
    )
    async def test_its_client_learns_where_to_ask_later(
        self,
        client: httpx2.AsyncClient,
        rest_store: Store,
        stopping: asyncio.Event,
        prefer: dict[str, str],
        status: int,
        shown: tuple[str, str],
    ) -> None:
        requesting = asyncio.create_task(ask(client, ALL_ACTIVE, headers=prefer))
        upgrade = await soon(lambda: the_upgrade(rest_store))
        stopping.set()
        reply = await requesting
        name, value = shown
        assert (reply.status_code, reply.json()[name]) == (status, value)
        assert reply.headers["location"] == f"/pub/v1/bpm/upgrades/{upgrade.id}"
        assert int(reply.headers["retry-after"]) > 0


async def test_a_client_that_hangs_up_ends_the_waiting_and_not_the_work(
    rest_store: Store, rest_worker: Worker
) -> None:
    await add_world(rest_store)
    idle = asyncio.all_tasks()
    client = Client()
    request = client.request(rest_store, rest_worker)
    await until_requested(rest_store)
    client.leaves.set()
    await asyncio.wait_for(request, 10)
    await until_idle(idle)
    upgrade = await run_next_upgrade(rest_store, rest_worker)
    assert (upgrade.state, upgrade.total, upgrade.upgraded) == (UpgradeState.COMPLETED, 4, 2)


async def test_requests_whose_clients_hung_up_do_not_pile_up(rest_store: Store, rest_worker: Worker) -> None:
    await add_world(rest_store)
    idle = asyncio.all_tasks()
    clients = [Client() for _ in range(50)]
    requests = [client.request(rest_store, rest_worker) for client in clients]
    await until_requested(rest_store, 50)
    for client in clients:
        client.leaves.set()
    await asyncio.wait_for(asyncio.gather(*requests), 10)
    await until_idle(idle)


async def test_a_client_that_hung_up_before_the_waiting_changes_nothing_of_it(
    rest_store: Store, rest_worker: Worker
) -> None:
    await add_world(rest_store)
    client = Client()
    client.leaves.set()
    await asyncio.wait_for(client.request(rest_store, rest_worker), 10)
    assert (await run_next_upgrade(rest_store, rest_worker)).total == 4


async def test_a_server_that_stops_ends_the_waiting_and_not_the_upgrade(
    rest_store: Store, rest_worker: Worker
) -> None:
    await add_world(rest_store)
    idle = asyncio.all_tasks()
    request = Client().request(rest_store, rest_worker)
    await until_requested(rest_store)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await until_idle(idle)
    assert (await run_next_upgrade(rest_store, rest_worker)).total == 4


@asynccontextmanager
async def served(store: Store, worker: Worker) -> AsyncIterator[int]:
    """The port of a server on a socket."""
    app = Starlette(routes=rest_routes(store, authenticate, worker))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))

        async def has_started() -> bool | None:
            return server.started or None

        serving = asyncio.create_task(server.serve([listener]))
        try:
            await soon(has_started)
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


async def test_a_client_on_a_socket_hangs_up_and_its_upgrade_goes_on(
    rest_store: Store, rest_worker: Worker
) -> None:
    await add_world(rest_store)
    async with served(rest_store, rest_worker) as port:
        idle = asyncio.all_tasks()
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"POST {path_of(ORDERS)} HTTP/1.1\r\nHost: uplift\r\nAuthorization: Bearer admin-key\r\n"
            'Content-Length: 26\r\n\r\n{"updateAllActive": true }'.encode()
        )
        await until_requested(rest_store)
        assert asyncio.all_tasks() - idle
        writer.close()
        await until_idle(idle)
        upgrade = await run_next_upgrade(rest_store, rest_worker)
    assert (upgrade.state, upgrade.total) == (UpgradeState.COMPLETED, 4)
