"""Provides a small schema and its endpoint, over ASGI and on a real socket."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx2
import strawberry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from uplift.domain.errors import Forbidden, InvalidInput, StoreUnavailable, Unauthenticated
from uplift.graphql_api.engine.endpoint import GraphQLEndpoint, graphql_routes

changes: list[str] = []
"""The names of all changes; a refused request must not add one."""
open_streams: list[str] = []


@strawberry.type
class Query:
    @strawberry.field
    async def hello(self, name: str = "you") -> str:
        return f"hello {name}"

    @strawberry.field
    def caller(self, info: strawberry.Info) -> str:
        return str(info.context["caller"])

    @strawberry.field
    def boom(self) -> str | None:
        raise RuntimeError("SELECT secret FROM keys")

    @strawberry.field
    def must_not_be_null(self) -> str:
        nothing: Any = None
        return str(nothing) if nothing else nothing

    @strawberry.field
    def refused(self) -> str | None:
        raise InvalidInput("Expected a number, but got 'x'.", field=("input", "number"))

    @strawberry.field
    def too_big(self) -> int | None:
        return 2**40


@strawberry.type
class Mutation:
    @strawberry.mutation
    def change(self, name: str) -> str:
        changes.append(name)
        return name


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int = 3) -> AsyncGenerator[int, None]:
        open_streams.append("count")
        try:
            for number in range(to):
                yield number
                await asyncio.sleep(0)
        finally:
            open_streams.remove("count")

    @strawberry.subscription
    async def forever(self) -> AsyncGenerator[int, None]:
        open_streams.append("forever")
        try:
            yield 0
            await asyncio.Event().wait()
        finally:
            open_streams.remove("forever")

    @strawberry.subscription
    async def breaks(self) -> AsyncGenerator[int, None]:
        yield 0
        raise RuntimeError("SELECT secret FROM keys")

    @strawberry.subscription
    async def refuses(self) -> AsyncGenerator[int, None]:
        yield 0
        raise InvalidInput("Expected more, but there is none.")


def a_schema() -> strawberry.Schema:
    return strawberry.Schema(Query, Mutation, Subscription)


async def identify(headers: Mapping[str, str]) -> dict[str, str]:
    """Identifies any caller, except by the keys that are known to fail."""
    key = headers.get("authorization", "Bearer nobody").removeprefix("Bearer ")
    if key == "wrong":
        raise Unauthenticated
    if key == "forbidden":
        raise Forbidden(caller="r", role="reader")
    if key == "unknowable":
        raise StoreUnavailable("it is locked")
    if key == "down":
        raise OSError("database at /secret/path is gone")
    return {"caller": key}


def an_ide(_: Request) -> Response:
    return PlainTextResponse("the ide")


def an_endpoint(**options: Any) -> GraphQLEndpoint:
    return GraphQLEndpoint(a_schema(), **{"context_for": identify, **options})


def an_app(**options: Any) -> Starlette:
    return Starlette(routes=graphql_routes("/graphql", an_endpoint(**options)))


def a_client(**options: Any) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(an_app(**options))
    return httpx2.AsyncClient(transport=transport, base_url="http://gateway.example")
