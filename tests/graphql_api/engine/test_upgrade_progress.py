"""Tests that a client follows an upgrade on real sockets, also while another program runs it."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.support.stores import SERVED, Stores
from tests.support.workers import a_worker, running_worker, wait_until_only
from uplift.domain import Caller, Role, Upgrade, all_active, request_upgrade
from uplift.domain.errors import Unauthenticated
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.ports import Store
from uplift.graphql_api.context import Context
from uplift.graphql_api.engine.endpoint import GraphQLEndpoint, graphql_routes
from uplift.graphql_api.loaders import Loaders
from uplift.graphql_api.schema import build_schema
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_process, an_upgrade_id, instances

pytestmark = pytest.mark.anyio

PROTOCOL = "graphql-transport-ws"
KEY = {"Authorization": "Bearer reader"}


@pytest.fixture(params=SERVED)
async def store(request: pytest.FixtureRequest, stores: Stores) -> AsyncIterator[Store]:
    async with stores.empty(request.param) as opened:
        yield opened


def following(upgrade: object) -> str:
    return f'subscription {{upgradeProgress(id: "{upgrade}") {{state total}}}}'


@asynccontextmanager
async def served(store: Store) -> AsyncIterator[str]:
    """The address of a server on a socket, without a worker."""

    async def context_for(headers: Mapping[str, str]) -> Context:
        if headers.get("authorization") != KEY["Authorization"]:
            raise Unauthenticated
        reader = Caller(name="dashboard", role=Role.READER)
        return Context(
            store=store,
            caller=reader,
            worker=a_worker("front door"),
            wait_seconds=30,
            loaders=Loaders(store),
        )

    endpoint = GraphQLEndpoint(build_schema(), context_for=context_for)
    app = Starlette(routes=graphql_routes("/graphql", endpoint))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, lifespan="off", log_config=None, ws="websockets-sansio")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/graphql"
        finally:
            server.should_exit = True
            await serving


async def a_queued_upgrade(store: Store, *, of: int = 6) -> Upgrade:
    await a_process(store, holding=instances(range(of)))
    return await request_upgrade(
        store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN, worker=a_worker()
    )


async def events_of(address: str, query: str) -> AsyncGenerator[tuple[str, Any]]:
    """The server-sent events of an operation: the name and the data of each."""
    headers = {**KEY, "accept": "text/event-stream"}
    async with (
        httpx2.AsyncClient() as client,
        client.stream("POST", address, json={"query": query}, headers=headers) as response,
    ):
        assert response.headers["content-type"].startswith("text/event-stream")
        name = ""
        async for line in response.aiter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "data" or (field == "data:" and name == "complete"):
                yield name, json.loads(value) if value else None


@asynccontextmanager
async def a_socket(address: str) -> AsyncIterator[ClientConnection]:
    url = address.replace("http:", "ws:")
    async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], additional_headers=KEY) as connection:
        await connection.send('{"type": "connection_init"}')
        assert json.loads(await connection.recv()) == {"type": "connection_ack"}
        yield connection


async def subscribe(connection: ClientConnection, query: str) -> None:
    await connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": {"query": query}}))


async def results_over_sse(address: str, query: str) -> AsyncIterator[Any]:
    """The results of a subscription."""
    async for name, data in events_of(address, query):
        if name == "next":
            yield data


async def results_over_a_web_socket(address: str, query: str) -> AsyncIterator[Any]:
    """The results of a subscription."""
    async with a_socket(address) as connection:
        await subscribe(connection, query)
        async for text in connection:
            message = json.loads(text)
            if message["type"] == "complete":
                return
            yield message["payload"]
            if message["type"] == "error":
                return


@pytest.mark.parametrize("results", [results_over_sse, results_over_a_web_socket])
async def test_follows_an_upgrade_that_another_program_works_on(results: Any, tmp_path: Path) -> None:
    store, other = [await SqlStore.open(tmp_path / "shared.sqlite") for _ in range(2)]
    seen: list[Any] = []
    try:
        upgrade = await a_queued_upgrade(store)
        async with served(store) as address, asyncio.timeout(10), AsyncExitStack() as until_the_end:
            async for event in results(address, following(upgrade.id)):
                seen.append(event["data"]["upgradeProgress"])
                if len(seen) == 1:
                    slow = a_worker("another program", pause=0.3)
                    await until_the_end.enter_async_context(running_worker(other, slow))
    finally:
        await store.close()
        await other.close()
    assert seen[0] == {"state": "QUEUED", "total": 0}
    assert seen[-1] == {"state": "COMPLETED", "total": 6}
    assert {event["state"] for event in seen[1:-1]} == {"RUNNING"}
    totals = [event["total"] for event in seen]
    assert totals == sorted(totals)


async def test_a_stream_of_events_ends_with_complete(store: Store) -> None:
    upgrade = await a_queued_upgrade(store, of=1)
    async with served(store) as address, asyncio.timeout(10):
        events = [event async for event in events_of(address, following(upgrade.id))]
    assert events == [
        ("next", {"data": {"upgradeProgress": {"state": "COMPLETED", "total": 1}}}),
        ("complete", None),
    ]


@pytest.mark.parametrize(
    ("results", "error_of"),
    [
        (results_over_sse, lambda payload: payload["errors"]),
        (results_over_a_web_socket, lambda payload: payload),
    ],
)
async def test_an_upgrade_that_does_not_exist_is_an_error(store: Store, results: Any, error_of: Any) -> None:
    async with served(store) as address, asyncio.timeout(10):
        [payload] = [payload async for payload in results(address, following(an_upgrade_id(1)))]
    assert [error["extensions"] for error in error_of(payload)] == [
        {"code": "UPGRADE_NOT_FOUND", "field": ["id"]}
    ]


async def test_a_client_of_events_that_goes_leaves_nothing_behind(store: Store) -> None:
    upgrade = await a_queued_upgrade(store)
    async with served(store) as address:
        await asyncio.sleep(0.1)
        idle = asyncio.all_tasks()
        async with aclosing(events_of(address, following(upgrade.id))) as events:
            assert (await anext(events))[0] == "next"
            assert asyncio.all_tasks() - idle
        await wait_until_only(idle)


async def test_a_client_of_a_web_socket_that_goes_leaves_nothing_behind(store: Store) -> None:
    upgrade = await a_queued_upgrade(store)
    async with served(store) as address:
        await asyncio.sleep(0.1)
        idle = asyncio.all_tasks()
        async with a_socket(address) as connection:
            await subscribe(connection, following(upgrade.id))
            assert json.loads(await connection.recv())["type"] == "next"
            assert asyncio.all_tasks() - idle
            connection.transport.abort()
        await wait_until_only(idle)


async def test_a_subscription_that_its_client_completes_leaves_the_socket_open(store: Store) -> None:
    upgrade = await a_queued_upgrade(store)
    async with served(store) as address, a_socket(address) as connection:
        idle = asyncio.all_tasks()
        await subscribe(connection, following(upgrade.id))
        assert json.loads(await connection.recv())["type"] == "next"
        await connection.send('{"type": "complete", "id": "1"}')
        await wait_until_only(idle)
        await subscribe(connection, "{upgrades {nodes {state}}}")
        assert json.loads(await connection.recv())["payload"] == {
            "data": {"upgrades": {"nodes": [{"state": "QUEUED"}]}}
        }


@pytest.mark.parametrize("protocol", ["ws", "sse"])
async def test_serves_the_real_client_of_the_protocol(store: Store, protocol: str, tools: Path) -> None:
    upgrade = await a_queued_upgrade(store)
    async with served(store) as address, asyncio.timeout(30):
        arguments = [protocol, address, "reader", following(upgrade.id)]
        client = await asyncio.create_subprocess_exec(
            "node", "ask.mjs", *arguments, cwd=tools, stdout=asyncio.subprocess.PIPE
        )
        await asyncio.sleep(1)
        async with running_worker(store, a_worker()):
            printed, _ = await client.communicate()
    found = json.loads(printed)
    assert found["results"][-1] == {"data": {"upgradeProgress": {"state": "COMPLETED", "total": 6}}}
    assert "error" not in found
