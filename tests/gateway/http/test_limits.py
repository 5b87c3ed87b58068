"""Each limit is a setting that the whole application observes."""

import json
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from tests.gateway.gateway_world import error_of
from tests.gateway.served_world import REST, World, a_served_world, bearing, codes
from tests.support.project import DOCS
from uplift.gateway.limit_settings import LimitSettings
from uplift.gateway.settings import Settings
from uplift.graphql_api.engine.limits import Limits
from uplift.rest_compat.routes import RestLimits
from uplift.testing.builders import an_id

pytestmark = pytest.mark.anyio

TWO_IDS = [str(an_id(1)), str(an_id(2))]
PROCESS = 'namespace: "crm", code: "orders"'
BY_IDS = (
    "mutation($ids: [UUID!]!) { upgradeInstances(input: {" + PROCESS + ", selection: {instanceIds: $ids}}) "
    "{ userErrors { code message } } }"
)
EXCEPT = (
    "query($ids: [UUID!]!) { upgradePlan(input: {" + PROCESS + ", selection: {allActive: {except: $ids}}}) "
    "{ userErrors { code } } }"
)
REGISTER = (
    "mutation($all: [RegisteredInstanceInput!]!) { registerInstances(input: {"
    + PROCESS
    + ", instances: $all}) "
    "{ userErrors { code message } } }"
)
REPORT = (
    "mutation($all: [ReportedInstanceInput!]!) { reportInstances(input: {instances: $all}) "
    "{ userErrors { code } } }"
)


@pytest.mark.parametrize(
    ("setting", "query", "code"),
    [
        ({"max_depth": 2}, "{ processes { nodes { code } } }", "LIMIT_EXCEEDED"),
        ({"max_aliases": 1}, "{ a: __typename b: __typename }", "LIMIT_EXCEEDED"),
        ({"max_fields": 2}, "{ processes { nodes { code } } }", "LIMIT_EXCEEDED"),
        ({"max_root_fields": 1}, "{ __typename a: __typename }", "LIMIT_EXCEEDED"),
        ({"max_directives": 1}, "{ __typename @skip(if: false) @include(if: true) }", "LIMIT_EXCEEDED"),
        ({"max_nodes": 49}, "{ processes { nodes { code } } }", "LIMIT_EXCEEDED"),
        ({"max_tokens": 8}, "{ processes { nodes { code } } }", "GRAPHQL_PARSE_FAILED"),
        ({"max_document_characters": 31}, "{ processes { nodes { code } } }", "GRAPHQL_PARSE_FAILED"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_a_limit_on_query_texts_is_a_setting(
    folder: Path, setting: dict[str, int], query: str, code: str
) -> None:
    (name, value) = next(iter(setting.items()))
    async with a_served_world(folder, **setting) as world:
        assert codes(await world.ask(query)) == [code]
    (folder / "uplift.sqlite").rename(folder / "before.sqlite")
    async with a_served_world(folder, **{name: value + 1}) as world:
        assert codes(await world.ask(query)) == []


async def test_the_cost_of_a_plan_is_counted_again_within_the_setting(folder: Path) -> None:
    inside = "plan { cohorts { instances(first: 1) { nodes { id } } } }"
    query = "{ upgradePlan(input: {" + PROCESS + ", selection: {allActive: {}}}) {" + inside + "} }"
    async with a_served_world(folder, max_nodes=1_199) as world:
        assert codes(await world.ask(query)) == ["LIMIT_EXCEEDED"]


async def test_how_many_instances_a_request_may_name_is_a_setting(folder: Path) -> None:
    registered = [{"id": instance_id, "version": 1, "status": "PENDING"} for instance_id in TWO_IDS]
    reported = [{"id": instance_id, "status": "PENDING"} for instance_id in TWO_IDS]
    async with a_served_world(folder, max_ids=1) as world:
        before = await world.everything()
        requests: list[tuple[str, dict[str, Any], str]] = [
            (BY_IDS, {"ids": TWO_IDS}, "INVALID_SELECTION"),
            (EXCEPT, {"ids": TWO_IDS}, "INVALID_SELECTION"),
            (REGISTER, {"all": registered}, "INVALID_INPUT"),
            (REPORT, {"all": reported}, "INVALID_INPUT"),
        ]
        for query, variables, code in requests:
            [answer] = (await world.ask(query, key=world.admin, **variables)).json()["data"].values()
            assert [error["code"] for error in answer["userErrors"]] == [code]
        for body in ({"instanceIds": TWO_IDS}, {"updateAllActive": True, "unselectedIds": TWO_IDS}):
            reply = await world.client.post(REST, json=body, headers=bearing(world.admin))
            assert (reply.status_code, reply.json()["code"]) == (413, "LIMIT_EXCEEDED")
            assert "at most 1 ids, but got 2" in reply.json()["error"]
        assert await world.everything() == before
        [answer] = (await world.ask(BY_IDS, key=world.admin, ids=TWO_IDS[:1])).json()["data"].values()
        assert answer["userErrors"] == []


async def test_how_large_and_how_slow_a_body_may_be_is_a_setting(folder: Path) -> None:
    async with a_served_world(folder, max_body_bytes=1_000, max_body_seconds=0.05) as world:
        large = {"query": "{ __typename }" + " " * 1_000}
        reply = await world.client.post("/graphql", json=large, headers=bearing(world.reader))
        assert (reply.status_code, codes(reply)) == (413, ["LIMIT_EXCEEDED"])
        reply = await world.client.post(REST, content=b" " * 1_001, headers=bearing(world.admin))
        assert (reply.status_code, reply.json()["code"]) == (413, "LIMIT_EXCEEDED")
        for path in ("/graphql", REST):
            status, headers, body = await _posted_without_an_end(world, path)
            assert (status, headers[b"connection"]) == (408, b"close")
            assert "within 0.05 seconds" in body
            assert "LIMIT_EXCEEDED" in body


async def _posted_without_an_end(world: World, path: str) -> tuple[int, dict[bytes, bytes], str]:
    """The reply to a body whose second part never arrives."""
    parts = iter([{"type": "http.request", "body": b"{", "more_body": True}])
    sent: list[Any] = []

    async def receive() -> Any:
        part = next(parts, None)
        if part is None:
            await anyio.sleep_forever()
        return part

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {world.admin}".encode())]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    await world.app(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"].decode()


def test_the_limits_of_websockets_are_settings() -> None:
    settings = Settings(
        max_streams=3,
        max_streams_per_key=2,
        max_waiting_sockets=6,
        max_operations_per_socket=4,
        socket_init_seconds=7,
    )
    limits = settings.graphql_limits()
    assert (limits.max_streams, limits.max_streams_per_key, limits.max_waiting_sockets) == (3, 2, 6)
    assert (limits.max_operations_per_socket, limits.socket_init_seconds) == (4, 7)


def test_the_defaults_are_those_of_the_apis() -> None:
    settings = Settings()
    assert settings.graphql_limits() == Limits()
    assert settings.rest_limits() == RestLimits()


OPERATIONS = (DOCS / "how-to" / "operate.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [name for name in LimitSettings.model_fields if name != "introspection"])
def test_each_limit_is_documented_with_what_happens_above_it(name: str) -> None:
    assert f"| `UPLIFT_{name.upper()}` | " in OPERATIONS


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("UPLIFT_MAX_IDS", "0"),
        ("UPLIFT_MAX_IDS", "100001"),
        ("UPLIFT_MAX_DEPTH", "0"),
        ("UPLIFT_MAX_BODY_SECONDS", "0"),
        ("UPLIFT_MAX_HEAD_SECONDS", "-1"),
        ("UPLIFT_RATE_LIMIT", ""),
        ("UPLIFT_RATE_LIMIT", "often"),
        ("UPLIFT_RATE_LIMIT", "0/minute"),
        ("UPLIFT_RATE_LIMIT", "600/fortnight"),
    ],
)
def test_a_bad_limit_is_named(variable: str, text: str) -> None:
    said = error_of("serve", code=1, **{variable: text})
    name = variable.removeprefix("UPLIFT_").lower()
    assert said.startswith(f"Expected the setting {name} ({variable}) to be valid, but got {text!r}: ")


@pytest.mark.parametrize("origin", ["tools.example", "https://tools.example/path", ""])
def test_a_bad_origin_is_named(origin: str) -> None:
    said = error_of("serve", UPLIFT_ALLOWED_ORIGINS=json.dumps([origin]))
    assert said.startswith(
        "Expected the setting allowed_origins (UPLIFT_ALLOWED_ORIGINS) to be valid, but got "
    )
    assert origin in said


PREFLIGHT = {
    "origin": "https://tools.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
}


async def test_a_page_of_another_origin_may_read_nothing_by_default(folder: Path) -> None:
    async with a_served_world(folder) as world:
        for path in ("/graphql", REST):
            reply = await world.client.options(path, headers=PREFLIGHT)
            assert reply.status_code == 405
            assert _cors(reply) == set()


async def test_a_page_of_another_origin_may_call_and_read_when_listed(folder: Path) -> None:
    async with a_served_world(folder, allowed_origins=["https://TOOLS.example:443"]) as world:
        for path in ("/graphql", REST):
            reply = await world.client.options(path, headers=PREFLIGHT)
            assert reply.status_code == 200
            assert reply.headers["access-control-allow-origin"] == "https://tools.example"
            assert "access-control-allow-credentials" not in reply.headers
        headers = {**bearing(world.admin), "origin": "https://tools.example"}
        for reply in (
            await world.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers),
            await world.client.post(REST, json={"instanceIds": TWO_IDS[:1]}, headers=headers),
            await world.client.post(REST, json={}, headers={"origin": "https://tools.example"}),
        ):
            assert reply.headers["access-control-allow-origin"] == "https://tools.example"
            assert "retry-after" in reply.headers["access-control-expose-headers"]
            assert "origin" in reply.headers["vary"].lower()


async def test_a_page_of_another_origin_may_read_nothing_when_another_is_listed(folder: Path) -> None:
    async with a_served_world(folder, allowed_origins=["https://other.example"]) as world:
        reply = await world.client.options("/graphql", headers=PREFLIGHT)
        assert reply.status_code == 400
        headers = {**bearing(world.admin), "origin": "https://tools.example"}
        reply = await world.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)
        assert (reply.status_code, codes(reply)) == (403, ["FORBIDDEN_ORIGIN"])
        assert "access-control-allow-origin" not in reply.headers


def _cors(reply: httpx2.Response) -> set[str]:
    return {name for name in reply.headers if name.startswith("access-control-")}
