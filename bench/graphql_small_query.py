"""Counts small GraphQL queries per second, against strawberry's own endpoint.

Both serve the same schema by one uvicorn process on a real socket; 16 keep-alive connections of another
process ask for the same instance again and again. Rounds alternate.
Run: python -m bench.graphql_small_query [rounds] [seconds]
"""

import asyncio
import json
import time
import uuid
from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from typing import cast

import strawberry
import uvloop
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.asgi import GraphQL

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_least, compared
from bench.servers import started
from uplift.graphql_api.engine.endpoint import GraphQLEndpoint, graphql_routes

CONNECTIONS = 16
QUERY = "query Instance($key: UUID!) { instance(key: $key) { id code version status waitingAt } }"


@strawberry.enum
class Status(StrEnum):
    PENDING = "PENDING"
    COMPLETED = "COMPLETED"


@strawberry.type
class Instance:
    id: uuid.UUID
    code: str
    version: int
    status: Status
    waiting_at: list[str]


@strawberry.type
class Query:
    @strawberry.field
    async def instance(self, key: uuid.UUID) -> Instance | None:
        return Instance(id=key, code="loan", version=3, status=Status.PENDING, waiting_at=["check", "sign"])


async def no_context(_: Mapping[str, str]) -> None:
    """Return no context: the stock server authenticates no callers either."""


def ours() -> Starlette:
    endpoint = GraphQLEndpoint(strawberry.Schema(Query), context_for=no_context)
    return Starlette(routes=graphql_routes("/graphql", endpoint))


def stock() -> Starlette:
    return Starlette(routes=[Route("/graphql", GraphQL(strawberry.Schema(Query)))])


class Asker(asyncio.Protocol):
    """A connection that sends the next request as soon as it has the response."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = b""
        self.answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if separator and len(body) >= int(
            head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        ):
            assert head.startswith(b"HTTP/1.1 200"), head
            assert b'"data":{"instance":{"id"' in body, body
            self._received = b""
            self.answers += 1
            self._transport.write(self._request)


async def load(port: int, seconds: float) -> float:
    """The responses per second over all connections."""
    body = json.dumps({"query": QUERY, "variables": {"key": str(uuid.UUID(int=7))}}).encode()
    request = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(partial(Asker, request), "127.0.0.1", port) for _ in range(CONNECTIONS)
    ]
    start, before = time.perf_counter(), sum(asker.answers for _, asker in pairs)
    await asyncio.sleep(seconds)
    rate = (sum(asker.answers for _, asker in pairs) - before) / (time.perf_counter() - start)
    for transport, _ in pairs:
        transport.abort()
    return rate


def rate_of(factory: str, seconds: int) -> float:
    """The requests per second of a server that has warmed up."""
    target = f"bench.graphql_small_query:{factory}"
    arguments = (target, "--factory", "--port", "{port}", "--log-level", "warning", "--no-access-log")
    with started("uvicorn", *arguments) as server:
        uvloop.run(load(server.port, min(1.0, seconds)))
        return uvloop.run(load(server.port, seconds))


def measure(rounds: int, seconds: int) -> list[Figure]:
    rates: dict[str, list[float]] = {"ours": [], "stock": []}
    for _ in range(rounds):
        for factory, seen in rates.items():
            seen.append(rate_of(factory, seconds))
            print(f"{factory}: {seen[-1]:.0f} requests/s")
    return [compared("small query", *rates.values(), unit="/s", beside="stock strawberry", target=TARGET)]


TARGET = at_least("small query", 3)
BENCH = Bench(
    compares="requests per second of one small query, beside stock strawberry on the same server",
    sizes={"rounds": (3, 1), "seconds": (4, 1)},
    targets=(TARGET,),
    measure=measure,
)

if __name__ == "__main__":
    run_alone(BENCH)
