"""Permissions: one table of every operation and route, for every kind of key."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.routing import Route, WebSocketRoute

from tests.gateway.gateway_world import LATEST
from tests.gateway.served_world import REST, World, a_served_world, bearing, codes, every_operation
from uplift.gateway.auth.keys import new_token
from uplift.testing.builders import an_id

pytestmark = pytest.mark.anyio

INVALID_KEYS = dict.fromkeys(("nobody", "stranger", "revoked", "expired"), 401)
"""The statuses for no key, an unknown, a revoked and an expired one."""
ANYBODY = {**dict.fromkeys(INVALID_KEYS, 200), "engine": 200, "reader": 200, "admin": 200}
ANY_KEY = {**INVALID_KEYS, "engine": 200, "reader": 200, "admin": 200}
READER = {**INVALID_KEYS, "engine": 403, "reader": 200, "admin": 200}
ENGINE = {**INVALID_KEYS, "engine": 200, "reader": 403, "admin": 200}
ADMIN = {**INVALID_KEYS, "engine": 403, "reader": 403, "admin": 200}

OPERATIONS = {
    "query viewer": ANY_KEY,
    "query server": ANY_KEY,
    "query node": READER,
    "query process": READER,
    "query processes": READER,
    "query instance": READER,
    "query upgrade": READER,
    "query upgrades": READER,
    "query upgradePlan": READER,
    "query links": READER,
    "query moves": ANY_KEY,
    "mutation upgradeInstances": ADMIN,
    "mutation pauseUpgrade": ADMIN,
    "mutation resumeUpgrade": ADMIN,
    "mutation cancelUpgrade": ADMIN,
    "mutation retryUpgrade": ADMIN,
    "mutation undoUpgrade": ADMIN,
    "mutation createProcess": ADMIN,
    "mutation saveDraft": ADMIN,
    "mutation publishVersion": ADMIN,
    "mutation registerInstances": ENGINE,
    "mutation reportInstances": ENGINE,
    "mutation linkEngine": ADMIN,
    "mutation unlinkEngine": ADMIN,
    "mutation sweepEngine": ADMIN,
    "mutation settleMoves": ENGINE,
    "subscription upgradeProgress": ANY_KEY,
    "subscription processChanged": ANY_KEY,
    "subscription upgradesChanged": ANY_KEY,
}
"""Every root field of the schema. A new field needs a row here."""

UPGRADE = "/pub/v1/bpm/instance/bytemplate/{namespace}/{code}/version"
STATUS = "/pub/v1/bpm/upgrades/{upgradeId}"
NOTHING = dict.fromkeys(ANYBODY, 404)
ROUTES = {
    "/": dict.fromkeys(ANYBODY, 307),
    "/graphql": ANYBODY,  # the page; operations have the table above
    "/graphql/static/{name}": ANYBODY,
    "/console": ANYBODY,
    "/console/static/{name}": ANYBODY,
    UPGRADE: ADMIN,
    STATUS: READER,
    "/openapi.json": ANYBODY,
    "/healthz": ANYBODY,
    "/readyz": ANYBODY,
    "/pub/{rest:path}": NOTHING,
    "//pub/{rest:path}": NOTHING,
}
"""Every route of the application. A new route needs a row here."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One world for all tests here. Only administrators change it, and no test depends on that."""
    async with a_served_world(tmp_path_factory.mktemp("permissions")) as world:
        yield world


def headers_of(world: World, who: str) -> dict[str, str]:
    return {} if who == "nobody" else bearing(new_token() if who == "stranger" else getattr(world, who))


async def send(world: World, path: str, who: str) -> httpx2.Response:
    """A valid request to a route."""
    headers = headers_of(world, who)
    if path == UPGRADE:
        return await world.client.post(REST, json={"instanceIds": [str(an_id(LATEST))]}, headers=headers)
    if path == STATUS:
        made = await world.client.post(
            REST, json={"instanceIds": [str(an_id(LATEST))]}, headers=bearing(world.admin)
        )
        path = STATUS.format(upgradeId=made.json()["upgradeId"])
    if path in ("/", "/graphql", "/console"):
        headers["accept"] = "text/html"
    if path.endswith("/static/{name}"):
        page = (await world.client.get(f"/{path.split('/')[1]}", headers={"accept": "text/html"})).text
        path = "/" + page.partition('<script type="module" src="')[2].partition('"')[0].lstrip("/")
    return await world.client.get(path.replace("{rest:path}", "else"), headers=headers)


async def test_the_tables_have_a_row_for_everything(world: World) -> None:
    assert set(OPERATIONS) == set(every_operation())
    assert set(ROUTES) == {route.path for route in world.app.routes if isinstance(route, Route)}
    assert [route.path for route in world.app.routes if isinstance(route, WebSocketRoute)] == ["/graphql"]
    assert all(isinstance(route, (Route, WebSocketRoute)) for route in world.app.routes)


@pytest.mark.parametrize("who", ANYBODY)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_is_answered_as_the_table_says(world: World, operation: str, who: str) -> None:
    request: dict[str, Any] = every_operation()[operation]
    status, before = OPERATIONS[operation][who], await world.everything()
    headers = headers_of(world, who)
    if operation.startswith("subscription"):
        reply = await world.first_event(request, headers)
    else:
        reply = await world.client.post("/graphql", json=request, headers=headers)
    assert reply.status_code == status
    if status == 401:
        assert (reply.headers["www-authenticate"], codes(reply)) == ("Bearer", ["UNAUTHENTICATED"])
        assert "data" not in reply.json()
    elif status == 403:
        assert codes(reply) == ["FORBIDDEN"]
        assert set((reply.json()["data"] or {}).values()) <= {None}
    elif not operation.startswith("subscription"):
        assert codes(reply) == []
    elif who == "engine":  # a stream says so in its first event
        assert "FORBIDDEN" in reply.text
    if status != 200 or not operation.startswith("mutation"):
        assert await world.everything() == before


@pytest.mark.parametrize("who", ANYBODY)
@pytest.mark.parametrize("path", ROUTES)
async def test_a_route_is_answered_as_the_table_says(world: World, path: str, who: str) -> None:
    reply = await send(world, path, who)
    status = ROUTES[path][who]
    assert reply.status_code == status
    if status == 401:
        assert (reply.headers["www-authenticate"], reply.json()["code"]) == ("Bearer", "UNAUTHENTICATED")
    if status == 403:
        assert reply.json()["code"] == "FORBIDDEN"


@pytest.mark.parametrize("who", ANYBODY)
async def test_a_refused_upgrade_changes_nothing(world: World, who: str) -> None:
    before = await world.everything()
    reply = await world.client.post(REST, json={"updateAllActive": "x"}, headers=headers_of(world, who))
    assert reply.status_code == {200: 400}.get(ADMIN[who], ADMIN[who])
    assert await world.everything() == before
