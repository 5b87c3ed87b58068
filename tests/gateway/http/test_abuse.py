"""Attacks of common scanners on the whole application are refused, and change nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from graphql import get_introspection_query
from sqlalchemy import text
from starlette.testclient import TestClient, WebSocketTestSession
from structlog.testing import capture_logs

from tests.gateway.served_world import REST, World, a_served_world, bearing, codes, every_operation
from uplift.testing.builders import an_id

pytestmark = pytest.mark.anyio

GRAPHQL = "application/graphql-response+json"
CREATE = 'createProcess(input: {namespace: "crm", code: "%s"}) {process {code}}'
BY_ID = {"instanceIds": [str(an_id(1))]}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One world for all tests here, which must not change it."""
    async with a_served_world(tmp_path_factory.mktemp("abuse")) as world:
        yield world


@pytest.fixture(scope="module")
async def hiding(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """The same, with its schema hidden."""
    async with a_served_world(tmp_path_factory.mktemp("hiding"), introspection=False) as world:
        yield world


ALIASES = "{" + " ".join(f"alias{number}: __typename" for number in range(101)) + "}"
ALIASED_CHANGES = "mutation {" + " ".join(f"a{n}: {CREATE % f'p{n}'}" for n in range(31)) + "}"
DIRECTIVES = "{ __typename " + "@include(if: true) " * 10 + "}"
UNKNOWN_DIRECTIVES = "{ __typename " + "@aa " * 500 + "}"
SAME_FIELD = "{" + "__typename " * 500 + "}"
SAME_FIELD_INSIDE = "{ processes { nodes {" + "code " * 1_100 + "} } }"
DEEP = "{ processes { nodes {" + "instances { nodes { process {" * 4 + "code" + "}}}" * 4 + "}}}"
CIRCLING_TYPES = "{ __schema " + "{ types { fields { type " * 5 + "{ name" + "}}}" * 5 + "}}"
CIRCULAR_FRAGMENTS = (
    "{ processes { nodes { ...A } } } fragment A on Process { ...B } fragment B on Process { ...A }"
)
SELF_SPREADING = "{ ...A } fragment A on Query { __typename ...A }"
TOKENS = "{ processes(first: 1) { nodes { " + "code " * 2_100 + "} } }"
LONG_TEXT = '{ process(namespace: "' + "x" * 500_001 + '", code: "y") { code } }'
NODES = "{ processes(first: 1000) { nodes { instances(first: 1000) { nodes { id } } } } }"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param(ALIASES, "LIMIT_EXCEEDED", id="alias overload"),
        pytest.param(ALIASED_CHANGES, "LIMIT_EXCEEDED", id="batching by aliases"),
        pytest.param(DIRECTIVES, "LIMIT_EXCEEDED", id="directive overload"),
        pytest.param(UNKNOWN_DIRECTIVES, "LIMIT_EXCEEDED", id="overload of unknown directives"),
        pytest.param(SAME_FIELD, "LIMIT_EXCEEDED", id="field duplication"),
        pytest.param(SAME_FIELD_INSIDE, "LIMIT_EXCEEDED", id="field duplication inside"),
        pytest.param(DEEP, "LIMIT_EXCEEDED", id="deep nesting"),
        pytest.param(CIRCLING_TYPES, "GRAPHQL_VALIDATION_FAILED", id="circular introspection"),
        pytest.param(CIRCULAR_FRAGMENTS, "GRAPHQL_VALIDATION_FAILED", id="circular fragments"),
        pytest.param(SELF_SPREADING, "GRAPHQL_VALIDATION_FAILED", id="a fragment of itself"),
        pytest.param(TOKENS, "GRAPHQL_PARSE_FAILED", id="tokens"),
        pytest.param(LONG_TEXT, "GRAPHQL_PARSE_FAILED", id="characters"),
        pytest.param(NODES, "LIMIT_EXCEEDED", id="page sizes"),
    ],
)
async def test_an_overload_is_refused_before_anything_runs(world: World, query: str, code: str) -> None:
    before = await world.everything()
    with capture_logs() as logs:
        reply = await world.client.post(
            "/graphql", json={"query": query}, headers={**bearing(world.admin), "accept": GRAPHQL}
        )
    assert codes(reply) == [code] * len(codes(reply)) != []
    assert not any((reply.json().get("data") or {}).values())
    assert len(reply.content) < 5_000
    assert logs == []
    assert await world.everything() == before


def test_an_overload_by_websocket_is_refused(world: World) -> None:
    with TestClient(world.app).websocket_connect("/graphql", ["graphql-transport-ws"]) as socket:
        assert set(_subscribed(socket, world.reader, ALIASES)) == {"LIMIT_EXCEEDED"}


def _subscribed(socket: WebSocketTestSession, key: str, query: str) -> list[str]:
    socket.send_json({"type": "connection_init", "payload": {"Authorization": f"Bearer {key}"}})
    assert socket.receive_json()["type"] == "connection_ack"
    socket.send_json({"type": "subscribe", "id": "1", "payload": {"query": query}})
    return [error["extensions"]["code"] for error in socket.receive_json()["payload"]]


@pytest.mark.parametrize("many", [1, 2, 1_000])
async def test_a_batch_is_refused_whole(world: World, many: int) -> None:
    before = await world.everything()
    batch = [{"query": f"mutation {{{CREATE % 'batched'}}}"}] * many
    reply = await world.client.post("/graphql", json=batch, headers=bearing(world.admin))
    assert (reply.status_code, codes(reply)) == (400, ["BAD_REQUEST"])
    assert "no batch" in reply.json()["errors"][0]["message"]
    assert await world.everything() == before


async def test_a_change_by_get_is_refused(world: World) -> None:
    before = await world.everything()
    query = {"query": f"mutation {{{CREATE % 'by-get'}}}"}
    reply = await world.client.get("/graphql", params=query, headers=bearing(world.admin))
    assert (reply.status_code, reply.headers["allow"], codes(reply)) == (405, "POST", ["METHOD_NOT_ALLOWED"])
    assert (await world.client.get(REST, headers=bearing(world.admin))).status_code == 405
    assert await world.everything() == before


FORM = {"query": f"mutation {{{CREATE % 'by-form'}}}"}
FORMS: list[dict[str, Any]] = [
    {"data": FORM},
    {"files": {"operations": (None, json.dumps(FORM)), "map": (None, "{}")}},
    {"content": json.dumps(FORM), "headers": {"content-type": "text/plain"}},
    {"content": json.dumps(FORM)},
]


@pytest.mark.parametrize("form", FORMS, ids=["urlencoded", "multipart", "plain text", "no type"])
async def test_refuses_a_change_by_a_request_that_browsers_send_without_preflight(
    world: World, form: dict[str, Any]
) -> None:
    before = await world.everything()
    headers = {**bearing(world.admin), **form.get("headers", {})}
    reply = await world.client.post("/graphql", **{**form, "headers": headers})
    assert (reply.status_code, codes(reply)) == (415, ["UNSUPPORTED_MEDIA_TYPE"])
    if "content" not in form:
        reply = await world.client.post(REST, **{**form, "headers": headers})
        assert (reply.status_code, reply.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert await world.everything() == before


FOREIGN = ["https://evil.example", "null", "http://uplift.test.evil.example", "https://uplift.test:444"]


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_change_by_a_page_of_another_site_is_refused(world: World, origin: str) -> None:
    before = await world.everything()
    headers = {**bearing(world.admin), "origin": origin}
    change = {"query": f"mutation {{{CREATE % 'by-page'}}}"}
    reply = await world.client.post("/graphql", json=change, headers=headers)
    assert (reply.status_code, codes(reply)) == (403, ["FORBIDDEN_ORIGIN"])
    assert "access-control-allow-origin" not in reply.headers
    reply = await world.client.post(REST, json=BY_ID, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (403, "FORBIDDEN_ORIGIN")
    assert "access-control-allow-origin" not in reply.headers
    assert await world.everything() == before


@pytest.mark.parametrize("headers", [{"apollo-tracing": "1"}, {"x-apollo-tracing": "1"}, {}])
async def test_no_request_gets_a_trace(world: World, headers: dict[str, str]) -> None:
    request = {"query": "{ __typename }", "extensions": {"tracing": True, "persistedQuery": {"version": 1}}}
    reply = await world.client.post("/graphql", json=request, headers={**bearing(world.reader), **headers})
    assert reply.json() == {"data": {"__typename": "Query"}}


IDES = [
    "/graphiql",
    "/playground",
    "/altair",
    "/voyager",
    "/graphql/console",
    "/graphql/static/x.js",
]


@pytest.mark.parametrize("path", ["/graphql", *IDES])
async def test_no_page_is_found_when_the_schema_is_hidden(hiding: World, path: str) -> None:
    for headers in ({}, bearing(hiding.admin)):
        reply = await hiding.client.get(path, headers={**headers, "accept": "text/html"})
        assert reply.status_code >= 400
        assert "html" not in reply.headers["content-type"]
        assert "<" not in reply.text


async def test_the_page_is_where_it_should_be_and_nowhere_else(world: World) -> None:
    page = await world.client.get("/graphql", headers={"accept": "text/html"})
    assert (page.status_code, "GraphiQL" in page.text) == (200, True)
    for path in IDES:
        assert (await world.client.get(path, headers={"accept": "text/html"})).status_code == 404


HIDDEN = [
    get_introspection_query(),
    "{ __schema { queryType { name } } }",
    '{ __type(name: "Process") { fields { name } } }',
    'query($n: String = "Process") { ...F } fragment F on Query { t: __type(name: $n) { name } }',
]


@pytest.mark.parametrize("query", HIDDEN)
async def test_introspection_is_refused_when_the_schema_is_hidden(hiding: World, query: str) -> None:
    reply = await hiding.ask(query, key=hiding.admin)
    assert set(codes(reply)) == {"GRAPHQL_VALIDATION_FAILED"}
    assert "data" not in reply.json()


MISSPELT = [
    "{ proceses { nodes { code } } }",
    "{ processes { nodes { cod } } }",
    "{ processes(frist: 1) { nodes { code } } }",
    "{ upgrades(process: {namespac: 1}) { nodes { id } } }",
    "{ processes { ... on Proces { nodes { code } } } }",
    "query($p: Proces) { processes { nodes { code } } }",
    "{ processes @skipp(if: true) { nodes { code } } }",
    "mutation { createProces(input: {}) { process { code } } }",
    'mutation { retryUpgrade(input: {id: "x", reasons: [NOT_PENDIN]}) { upgrade { id } } }',
]


@pytest.mark.parametrize("query", MISSPELT)
async def test_no_error_suggests_a_name_when_the_schema_is_hidden(hiding: World, query: str) -> None:
    reply = await hiding.ask(query, key=hiding.admin)
    assert codes(reply) != []
    assert "Did you mean" not in reply.text


async def test_no_variable_suggests_a_name_when_the_schema_is_hidden(hiding: World) -> None:
    query = "mutation($input: CreateProcessInput!) { createProcess(input: $input) { process { code } } }"
    reply = await hiding.ask(query, key=hiding.admin, input={"namespace": "crm", "code": "x", "titel": "X"})
    assert codes(reply) == ["BAD_USER_INPUT"]
    assert "Did you mean" not in reply.text


async def test_errors_suggest_names_to_callers_that_may_read_the_schema(world: World) -> None:
    assert "Did you mean 'process' or 'processes'" in (await world.ask(MISSPELT[0])).text


INSIDE = ["Traceback", 'File "', "SELECT", "INSERT", "UPDATE", "sqlite", "no such table", "aiosqlite", ".py"]


async def test_no_reply_shows_the_inside_when_everything_breaks(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with a_served_world(tmp_path_factory.mktemp("broken"), worker=False) as world:
        async with world.store.database.writing() as connection:
            for table in ("selected", "outcome", "decision", "request", "upgrade", "instance", "version"):
                await connection.execute(text(f"DROP TABLE {table}"))
        with capture_logs() as logs:
            replies = [reply async for reply in _replies_to_everything(world)]
    assert any(reply.status_code == 500 for reply in replies)
    assert any("INTERNAL" in codes(reply) for reply in replies if "errors" in reply.text)
    for reply in replies:
        assert [word for word in INSIDE if word in reply.text] == [], reply.text
        assert world.admin not in str(logs)
    assert any("no such table" in str(entry) for entry in logs), "the operator does learn it"


async def _replies_to_everything(world: World) -> AsyncIterator[httpx2.Response]:
    for operation, request in every_operation().items():
        accept = "text/event-stream" if operation.startswith("subscription") else "application/json"
        headers = {**bearing(world.admin), "accept": accept}
        yield await world.client.post("/graphql", json=request, headers=headers)
    yield await world.client.post(REST, json=BY_ID, headers=bearing(world.admin))
    yield await world.client.get(f"/pub/v1/bpm/upgrades/{an_id(1)}", headers=bearing(world.admin))
