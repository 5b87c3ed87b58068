"""Tests that one caller cannot run too many operations concurrently, by HTTP or WebSocket."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import strawberry
from starlette.applications import Starlette
from starlette.testclient import TestClient, WebSocketTestSession

from uplift.graphql_api.engine.endpoint import GraphQLEndpoint, Limits, graphql_routes

pytestmark = pytest.mark.anyio

LIMITS = Limits(max_operations_per_key=2)
MESSAGE = "Expected at most 2 concurrent requests of one API key, but there would be more; try later."
REFUSED = {"message": MESSAGE, "extensions": {"code": "LIMIT_EXCEEDED", "retryAfter": 1}}


class Gate:
    """Where operations wait until it opens."""

    def __init__(self) -> None:
        self.waiting = 0
        self.arrived = asyncio.Condition()
        self.is_open = asyncio.Event()

    async def wait(self) -> bool:
        async with self.arrived:
            self.waiting += 1
            self.arrived.notify_all()
        await self.is_open.wait()
        return True

    async def wait_for(self, count: int) -> None:
        async with self.arrived:
            await self.arrived.wait_for(lambda: self.waiting >= count)


def gate_of(info: strawberry.Info[Any]) -> Gate:
    gate: Gate = info.context["gate"]
    return gate


@strawberry.type
class Query:
    @strawberry.field
    async def wait(self, info: strawberry.Info[Any]) -> bool:
        return await gate_of(info).wait()

    @strawberry.field
    def who(self, info: strawberry.Info[Any]) -> str:
        return str(info.context["key"])


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def waits(self, info: strawberry.Info[Any]) -> AsyncGenerator[bool, None]:
        yield await gate_of(info).wait()


SCHEMA = strawberry.Schema(query=Query, subscription=Subscription)


def an_app(gate: Gate, limits: Limits) -> Starlette:
    async def context_for(headers: Any) -> dict[str, Any]:
        return {"key": headers.get("authorization"), "gate": gate}

    endpoint = GraphQLEndpoint(
        SCHEMA, context_for=context_for, limits=limits, caller_of=lambda context: context["key"]
    )
    return Starlette(routes=graphql_routes("/graphql", endpoint))


@asynccontextmanager
async def a_client(gate: Gate, limits: Limits) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(an_app(gate, limits))
    async with httpx2.AsyncClient(transport=transport, base_url="http://uplift.test") as client:
        yield client
        gate.is_open.set()


async def ask(client: httpx2.AsyncClient, query: str, key: str = "busy") -> httpx2.Response:
    return await client.post("/graphql", json={"query": query}, headers={"authorization": key})


async def test_refuses_a_further_operation_of_a_key_and_no_other() -> None:
    gate = Gate()
    async with asyncio.timeout(10), a_client(gate, LIMITS) as client:
        running = [asyncio.create_task(ask(client, "{ wait }")) for _ in range(2)]
        await gate.wait_for(2)
        refused = await ask(client, "{ who }")
        assert (refused.status_code, refused.json()) == (429, {"errors": [REFUSED]})
        assert refused.headers["retry-after"] == "1"
        by_url = await client.get("/graphql?query={who}", headers={"authorization": "busy"})
        assert by_url.status_code == 429
        assert (await ask(client, "{ who }", "other")).json() == {"data": {"who": "other"}}
        gate.is_open.set()
        assert [(await reply).json() for reply in running] == [{"data": {"wait": True}}] * 2
        assert (await ask(client, "{ who }")).status_code == 200


async def test_a_page_with_thirty_queries_is_answered() -> None:
    gate = Gate()
    async with asyncio.timeout(10), a_client(gate, Limits()) as client:
        running = [asyncio.create_task(ask(client, "{ wait }")) for _ in range(30)]
        await gate.wait_for(30)
        gate.is_open.set()
        assert [(await reply).status_code for reply in running] == [200] * 30


def test_operations_on_a_websocket_count_but_not_subscriptions() -> None:
    gate = Gate()
    with (
        TestClient(an_app(gate, LIMITS)) as client,
        client.websocket_connect(
            "/graphql", ["graphql-transport-ws"], headers={"authorization": "busy"}
        ) as socket,
    ):
        socket.send_json({"type": "connection_init"})
        assert socket.receive_json() == {"type": "connection_ack"}
        for number in range(3):
            subscribe(socket, f"subscription {number}", "subscription { waits }")
        for number in range(2):
            subscribe(socket, f"query {number}", "{ wait }")
        subscribe(socket, "refused", "{ who }")
        assert socket.receive_json() == {"type": "error", "id": "refused", "payload": [REFUSED]}


def subscribe(socket: WebSocketTestSession, name: str, query: str) -> None:
    socket.send_json({"type": "subscribe", "id": name, "payload": {"query": query}})
