"""Who may do what over both APIs of the real application, on a real database?"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from gateway_world import a_world
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

from domain import Role
from gateway.app import build_app
from gateway.keys import create_key, new_token
from gateway.settings import Settings
from graphql_api.schema import print_schema
from storage.keys import SqlKeys
from storage.store import SqlStore
from tests.support.builders import NOON, an_id
from tests.support.stores import Everything, everything_in

pytestmark = pytest.mark.anyio

SCHEMA = build_schema(print_schema())
REST = "/pub/v1/bpm/instance/bytemplate/crm/orders/version"
SAMPLES = {"String": "crm", "Int": 1, "Float": 1.0, "Boolean": True, "UUID": str(an_id(1)), "ID": "1"}
SAMPLES_BY_NAME = {"code": "orders", "reason": "a test", "after": None}


@dataclass(frozen=True, kw_only=True)
class World:
    """The application with its store, and a key of each kind."""

    client: httpx2.AsyncClient
    store: SqlStore
    admin: str
    reader: str
    revoked: str

    async def everything(self) -> Everything:
        return await everything_in(self.store)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One for all tests here: each changes nothing, or instances that no other asks for."""
    store = await SqlStore.open(tmp_path_factory.mktemp("authentication") / "uplift.sqlite")
    try:
        await a_world(store)
        keys = SqlKeys(store.database)
        _, admin = await create_key(keys, name="ops", role=Role.SYSTEM_ADMIN)
        _, reader = await create_key(keys, name="dashboard", role=Role.READER)
        old, revoked = await create_key(keys, name="old", role=Role.SYSTEM_ADMIN)
        await keys.revoke(old.id, NOON)
        app = build_app(store, Settings())
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://uplift.test") as client,
        ):
            yield World(client=client, store=store, admin=admin, reader=reader, revoked=revoked)
    finally:
        await store.close()


def a_value(kind: Any, name: str) -> Any:
    """A value of an input type with no more than it needs, so that nothing but the key can be wrong."""
    if isinstance(kind, GraphQLNonNull):
        return a_value(kind.of_type, name)
    if isinstance(kind, GraphQLList):
        return [a_value(kind.of_type, name)]
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        wanted = {
            name: field.type for name, field in kind.fields.items() if isinstance(field.type, GraphQLNonNull)
        } or {name: field.type for name, field in list(kind.fields.items())[:1]}
        return {name: a_value(of, name) for name, of in wanted.items()}
    assert isinstance(kind, GraphQLScalarType)
    return SAMPLES_BY_NAME.get(name, SAMPLES[kind.name])


def asked(operation: str, name: str, field: GraphQLField) -> dict[str, Any]:
    """A request for a root field with the arguments that it needs."""
    needed: dict[str, GraphQLArgument] = {
        name: one for name, one in field.args.items() if isinstance(one.type, GraphQLNonNull)
    }
    declared = ", ".join(f"${name}: {one.type}" for name, one in needed.items())
    passed = ", ".join(f"{name}: ${name}" for name in needed)
    selected = "" if is_leaf_type(get_named_type(field.type)) else " { __typename }"
    return {
        "query": f"{operation}{f'({declared})' if declared else ''} "
        f"{{ {name}{f'({passed})' if passed else ''}{selected} }}",
        "variables": {name: a_value(one.type, name) for name, one in needed.items()},
    }


def root_fields(kind: GraphQLObjectType | None) -> list[tuple[str, GraphQLField]]:
    assert kind is not None
    return list(kind.fields.items())


MUTATIONS = [
    pytest.param(asked("mutation", name, field), id=name) for name, field in root_fields(SCHEMA.mutation_type)
]
QUERIES = [
    pytest.param(asked("query", name, field), id=name) for name, field in root_fields(SCHEMA.query_type)
]


def bearing(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def codes(reply: httpx2.Response) -> list[str]:
    return [error["extensions"]["code"] for error in reply.json().get("errors", ())]


@pytest.mark.parametrize("request_", [*MUTATIONS, *QUERIES])
async def test_every_operation_needs_a_key(world: World, request_: dict[str, Any]) -> None:
    before = await world.everything()
    for headers in ({}, bearing(new_token()), bearing(world.revoked)):
        reply = await world.client.post("/graphql", json=request_, headers=headers)
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"] == "Bearer"
        assert codes(reply) == ["UNAUTHENTICATED"]
        assert "data" not in reply.json()
    assert await world.everything() == before


@pytest.mark.parametrize("request_", MUTATIONS)
async def test_a_reader_changes_nothing(world: World, request_: dict[str, Any]) -> None:
    before = await world.everything()
    reply = await world.client.post("/graphql", json=request_, headers=bearing(world.reader))
    assert codes(reply) == ["FORBIDDEN"]
    assert set((reply.json()["data"] or {}).values()) <= {None}
    assert reply.json()["errors"][0]["message"] == (
        "Expected a system administrator, but the key 'dashboard' has the role 'reader'."
    )
    assert await world.everything() == before


@pytest.mark.parametrize("request_", MUTATIONS)
async def test_an_administrator_is_refused_no_mutation(world: World, request_: dict[str, Any]) -> None:
    reply = await world.client.post("/graphql", json=request_, headers=bearing(world.admin))
    assert reply.status_code == 200
    assert codes(reply) == []


@pytest.mark.parametrize("request_", QUERIES)
async def test_any_key_may_query(world: World, request_: dict[str, Any]) -> None:
    before = await world.everything()
    for key in (world.reader, world.admin):
        reply = await world.client.post("/graphql", json=request_, headers=bearing(key))
        assert (reply.status_code, codes(reply)) == (200, [])
    assert await world.everything() == before


BY_ID = {"instanceIds": [str(an_id(2))]}


async def test_rest_needs_a_key(world: World) -> None:
    before = await world.everything()
    for headers in ({}, bearing(new_token()), bearing(world.revoked)):
        reply = await world.client.post(REST, json=BY_ID, headers=headers)
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"] == "Bearer"
        assert (reply.json()["success"], reply.json()["code"]) == (False, "UNAUTHENTICATED")
    assert await world.everything() == before


async def test_rest_needs_an_administrator(world: World) -> None:
    before = await world.everything()
    reply = await world.client.post(REST, json=BY_ID, headers=bearing(world.reader))
    assert (reply.status_code, reply.json()["code"]) == (403, "FORBIDDEN")
    assert await world.everything() == before
    reply = await world.client.post(REST, json=BY_ID, headers=bearing(world.admin))
    assert (reply.status_code, reply.json()["updated"]) == (200, 1)


async def test_rest_tells_who_may_not_ask_nothing_of_a_process(world: World) -> None:
    nowhere = REST.replace("orders", "nothing_like_it")
    for headers, status in (({}, 401), (bearing(world.reader), 403), (bearing(world.admin), 404)):
        reply = await world.client.post(nowhere, json=BY_ID, headers=headers)
        assert reply.status_code == status


@pytest.mark.parametrize("path", ["/graphql", REST])
@pytest.mark.parametrize(
    "form",
    [
        "",
        "Bearer",
        "Bearer ",
        "{key}",
        "Basic {key}",
        "Token {key}",
        "Bearer {key}x",
        "Bearer x{key}",
        "Bearer {key},{key}",
        "Bearer {key} {key}",
        "Bearer {key} trailing",
        "Bearer '{key}'",
        "Bearer,{key}",
        "Bearer\t{key}",
        "Bearer=uplift_{key}",
        "Bearer \u00fc{key}",
        "Bearer \x00{key}",
        "Bearer " + "x" * 8_000,
    ],
)
async def test_a_malformed_header_is_no_key(world: World, path: str, form: str) -> None:
    value = form.replace("{key}", world.admin).encode("latin-1")
    body = {"query": "{ __typename }"} if path == "/graphql" else BY_ID
    before = await world.everything()
    reply = await world.client.post(path, json=body, headers=[(b"authorization", value)])
    assert reply.status_code == 401
    assert world.admin not in reply.text
    assert await world.everything() == before


@pytest.mark.parametrize("form", ["Bearer {key}", "bearer {key}", "BEARER {key}", "Bearer  {key}"])
async def test_the_scheme_is_read_in_any_case(world: World, form: str) -> None:
    headers = {"authorization": form.replace("{key}", world.reader)}
    reply = await world.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
    assert (reply.status_code, reply.json()) == (200, {"data": {"__typename": "Query"}})


async def test_a_key_revoked_between_two_requests_is_refused(world: World) -> None:
    keys = SqlKeys(world.store.database)
    key, token = await create_key(keys, name="brief", role=Role.SYSTEM_ADMIN)
    query = {"query": "{ __typename }"}
    assert (await world.client.post("/graphql", json=query, headers=bearing(token))).status_code == 200
    await keys.revoke(key.id, NOON)
    assert (await world.client.post("/graphql", json=query, headers=bearing(token))).status_code == 401
    assert (await world.client.post(REST, json=BY_ID, headers=bearing(token))).status_code == 401


async def test_the_audit_names_the_key(world: World) -> None:
    by_id = {"instanceIds": [str(an_id(3))]}
    reply = await world.client.post(REST, json=by_id, headers=bearing(world.admin))
    query = {"query": "{ upgrades(first: 1) { nodes { id requestedBy } } }"}
    upgrades = await world.client.post("/graphql", json=query, headers=bearing(world.reader))
    assert upgrades.json()["data"]["upgrades"]["nodes"] == [
        {"id": reply.json()["upgradeId"], "requestedBy": "ops"}
    ]


async def test_pages_documents_and_health_need_no_key(world: World) -> None:
    page = await world.client.get("/graphql", headers={"accept": "text/html"})
    assert page.status_code == 200
    assert "processes" in page.text
    for path in ("/openapi.json", "/healthz", "/readyz"):
        assert (await world.client.get(path)).status_code == 200
