"""Callers authenticate over both APIs of the real application, on a real database."""

from collections.abc import AsyncIterator

import pytest

from tests.gateway.served_world import REST, World, a_served_world, bearing
from uplift.domain import Role
from uplift.gateway.auth.keys import create_key
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.testing.builders import NOON, an_id

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One world for all tests here. Each test changes only instances of its own."""
    async with a_served_world(tmp_path_factory.mktemp("authentication")) as world:
        yield world


BY_ID = {"instanceIds": [str(an_id(2))]}


async def test_rest_reveals_nothing_of_a_process_to_an_unauthorized_caller(world: World) -> None:
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
