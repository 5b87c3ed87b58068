"""The whole application over a small database, with API keys of every kind."""

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    build_schema,
    get_named_type,
    is_leaf_type,
)
from starlette.applications import Starlette

from tests.gateway.gateway_world import a_world
from uplift.domain import Role
from uplift.gateway.app import build_app
from uplift.gateway.auth.keys import create_key
from uplift.gateway.settings import Settings
from uplift.graphql_api.schema import print_schema
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.storage.store import SqlStore
from uplift.testing.builders import EVENING, NOON, a_clock, an_id
from uplift.testing.stores import Everything, everything_in

SCHEMA = build_schema(print_schema())
REST = "/pub/v1/bpm/instance/bytemplate/crm/orders/version"
SAMPLES = {"String": "crm", "Int": 1, "Float": 1.0, "Boolean": True, "UUID": str(an_id(1)), "ID": "1"}
SAMPLES_BY_NAME = {"code": "orders", "reason": "a test", "after": None}


@dataclass(frozen=True, kw_only=True)
class World:
    """The application with its store, and a key of each kind."""

    app: Starlette
    client: httpx2.AsyncClient
    store: SqlStore
    admin: str
    reader: str
    engine: str
    revoked: str
    expired: str

    async def everything(self) -> Everything:
        return await everything_in(self.store)

    async def ask(self, query: str, *, key: str | None = None, **variables: object) -> httpx2.Response:
        """The reply to a POST of this query, with the reader's key by default."""
        return await self.client.post(
            "/graphql", json={"query": query, "variables": variables}, headers=bearing(key or self.reader)
        )

    async def first_event(self, request: dict[str, Any], headers: dict[str, str]) -> httpx2.Response:
        """The reply to a subscription up to its first event, after which the client leaves."""
        sent = iter([{"type": "http.request", "body": json.dumps(request).encode(), "more_body": False}])
        has_event, pieces = asyncio.Event(), list[bytes]()
        head: dict[str, Any] = {}

        async def receive() -> MutableMapping[str, Any]:
            for message in sent:
                return message
            await has_event.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
                return
            pieces.append(message["body"])
            if b"".join(pieces).endswith(b"\r\n\r\n") or not message.get("more_body"):
                has_event.set()

        all_headers = {"content-type": "application/json", "accept": "text/event-stream", **headers}
        scope = {
            "type": "http",
            # To an application of a later version, the server tells that the client has left by an error.
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "method": "POST",
            "path": "/graphql",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in all_headers.items()],
        }
        await self.app(scope, receive, send)
        return httpx2.Response(head["status"], headers=head["headers"], content=b"".join(pieces))


@asynccontextmanager
async def a_served_world(folder: Path, **settings: Any) -> AsyncIterator[World]:
    """The application with these settings, on a new database in this folder."""
    store = await SqlStore.open(folder / "uplift.sqlite")
    try:
        await a_world(store)
        keys = SqlKeys(store.database)
        _, admin = await create_key(keys, name="ops", role=Role.SYSTEM_ADMIN)
        _, reader = await create_key(keys, name="dashboard", role=Role.READER)
        _, engine = await create_key(keys, name="engine", role=Role.ENGINE)
        old, revoked = await create_key(keys, name="old", role=Role.SYSTEM_ADMIN)
        await keys.revoke(old.id, NOON)
        _, expired = await create_key(
            keys, name="past", role=Role.SYSTEM_ADMIN, expires_at=EVENING, clock=a_clock(NOON)
        )
        app = build_app(store, Settings(**settings))
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://uplift.test") as client,
        ):
            yield World(
                app=app,
                client=client,
                store=store,
                admin=admin,
                reader=reader,
                engine=engine,
                revoked=revoked,
                expired=expired,
            )
    finally:
        await store.close()


def request_for(operation: str, name: str, field: GraphQLField) -> dict[str, Any]:
    """A request for a root field with the arguments that it needs."""
    needed: dict[str, GraphQLArgument] = {
        name: argument for name, argument in field.args.items() if isinstance(argument.type, GraphQLNonNull)
    }
    declared = ", ".join(f"${name}: {argument.type}" for name, argument in needed.items())
    passed = ", ".join(f"{name}: ${name}" for name in needed)
    selected = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return {
        "query": f"{operation}{f'({declared})' if declared else ''} "
        f"{{ {name}{f'({passed})' if passed else ''}{selected} }}",
        "variables": {name: _value(argument.type, name) for name, argument in needed.items()},
    }


def every_operation() -> dict[str, dict[str, Any]]:
    """A request for each field at the top of the schema, by names like `query processes`."""
    kinds = {"query": SCHEMA.query_type, "mutation": SCHEMA.mutation_type}
    kinds["subscription"] = SCHEMA.subscription_type
    return {
        f"{operation} {name}": request_for(operation, name, field)
        for operation, kind in kinds.items()
        for name, field in _fields(kind).items()
    }


def bearing(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def codes(reply: httpx2.Response) -> list[str]:
    return [error["extensions"]["code"] for error in reply.json().get("errors", ())]


def _fields(kind: GraphQLObjectType | None) -> dict[str, GraphQLField]:
    assert kind is not None
    fields: dict[str, GraphQLField] = kind.fields
    return fields


def _value(kind: Any, name: str) -> Any:
    """A minimal value of an input type, so that only the key can be wrong."""
    if isinstance(kind, GraphQLNonNull):
        return _value(kind.of_type, name)
    if isinstance(kind, GraphQLList):
        return [_value(kind.of_type, name)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        fields = {
            name: field.type for name, field in kind.fields.items() if isinstance(field.type, GraphQLNonNull)
        } or {name: field.type for name, field in list(kind.fields.items())[:1]}
        return {name: _value(of, name) for name, of in fields.items()}
    assert isinstance(kind, GraphQLScalarType)
    return SAMPLES_BY_NAME.get(name, SAMPLES[kind.name])
