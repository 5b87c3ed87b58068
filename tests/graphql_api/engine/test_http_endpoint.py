"""Tests the endpoint over HTTP: media types, methods, statuses and errors."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
import strawberry
from starlette.requests import Request
from starlette.responses import Response
from strawberry.extensions import MaskErrors
from structlog.testing import capture_logs

from tests.graphql_api.engine.served import (
    Query,
    a_client,
    a_schema,
    an_endpoint,
    an_ide,
    changes,
    identify,
    open_streams,
)
from uplift.domain.errors import Unauthenticated
from uplift.graphql_api.engine.endpoint import GraphQLEndpoint, Limits
from uplift.graphql_api.engine.response import event_stream

pytestmark = pytest.mark.anyio

GRAPHQL, JSON, EVENTS = "application/graphql-response+json", "application/json", "text/event-stream"
GREETING = "query($n: String!) { hello(name: $n) }"
OTHER_TYPES = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "application/json; charset=x",
    "",
]


@pytest.fixture(autouse=True)
def nothing_changed() -> None:
    changes.clear()


async def post(body: object, *, accept: str = JSON, options: Any = None, **headers: str) -> Any:
    """The response to a POST of this body, as JSON unless it is bytes or text."""
    content = body if isinstance(body, (bytes, str)) else json.dumps(body)
    sent = {"content-type": "application/json", "accept": accept}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with a_client(**(options or {})) as client:
        return await client.post("/graphql", content=content, headers=sent)


async def get(params: Mapping[str, str], *, accept: str = JSON, options: Any = None, **headers: str) -> Any:
    async with a_client(**(options or {})) as client:
        return await client.get("/graphql", params=params, headers={"accept": accept, **headers})


def codes(response: Any) -> list[str]:
    return [error["extensions"]["code"] for error in response.json()["errors"]]


async def test_answers_a_query() -> None:
    body = {
        "query": "query($n: String!) { hello(name: $n) }",
        "variables": {"n": "Ada"},
        "operationName": None,
    }
    response = await post(body)
    assert (response.status_code, response.json()) == (200, {"data": {"hello": "hello Ada"}})
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers["vary"] == "Accept"


async def test_answers_the_operation_that_is_named() -> None:
    response = await post({"query": "query A { a: hello } query B { b: hello }", "operationName": "B"})
    assert response.json() == {"data": {"b": "hello you"}}


async def test_answers_a_mutation() -> None:
    response = await post({"query": 'mutation { change(name: "x") }'})
    assert response.json() == {"data": {"change": "x"}}
    assert changes == ["x"]


async def test_reads_a_query_from_the_address() -> None:
    params = {
        "query": "query($n: String!) { hello(name: $n) }",
        "variables": '{"n": "Ada"}',
        "extensions": "{}",
    }
    assert (await get(params)).json() == {"data": {"hello": "hello Ada"}}


async def test_gives_resolvers_a_context_of_the_request() -> None:
    response = await post({"query": "{ caller }"}, authorization="Bearer ada")
    assert response.json() == {"data": {"caller": "ada"}}


async def test_counts_hits_of_the_cache_of_documents() -> None:
    endpoint = an_endpoint()
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b'{"query": "{ hello }"}'}

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json")]}
    for _ in range(5):
        await endpoint(scope, receive, send)
    assert (endpoint.documents.hits, endpoint.documents.misses) == (4, 1)
    assert [message["status"] for message in messages if "status" in message] == [200] * 5


@pytest.mark.parametrize(("accept", "status"), [(GRAPHQL, 400), (JSON, 200), ("*/*", 200), ("", 200)])
@pytest.mark.parametrize(
    "body",
    [
        {"query": "{"},
        {"query": "{ unknown }"},
        {"query": "query($n: String!) { hello(name: $n) }"},
        {"query": "query A { hello }", "operationName": "B"},
    ],
)
async def test_a_request_error_has_the_status_that_the_client_expects(
    accept: str, status: int, body: dict[str, str]
) -> None:
    response = await post(body, accept=accept)
    assert response.status_code == status
    assert list(response.json()) == ["errors"]
    assert response.headers["content-type"] == f"{GRAPHQL if accept == GRAPHQL else JSON}; charset=utf-8"


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_answers_200_with_data_when_only_a_field_failed(accept: str) -> None:
    response = await post({"query": "{ refused hello }"}, accept=accept)
    assert response.status_code == 200
    assert response.json()["data"] == {"refused": None, "hello": "hello you"}


async def test_keeps_the_data_entry_when_a_null_spread_to_the_top() -> None:
    with capture_logs():
        response = await post({"query": "{ mustNotBeNull }"}, accept=GRAPHQL)
    assert response.status_code == 200
    assert response.json()["data"] is None


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ("5", "Expected `object`, got `int`"),
        ("null", "Expected `object`, got `null`"),
        ('"{ hello }"', "Expected `object`, got `str`"),
        ('[{"query": "{ hello }"}]', "no batch"),
        ("{", "truncated"),
        ("", "truncated"),
        (b'{"query": "\xff"}', "it cannot be read: "),
        ("[" * 100_000, "Expected `object`"),
        ('{"query": "", "variables": {"a": ' + "[" * 900_000, "it is nested too deeply"),
        ("{}", "missing required field `query`"),
        ('{"query": 5}', "$.query"),
        ('{"query": "{ hello }", "variables": [1]}', "$.variables"),
        ('{"query": "{ hello }", "operationName": {}}', "$.operationName"),
        ('{"query": "{ hello }", "extensions": "x"}', "$.extensions"),
    ],
)
@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_refuses_a_body_that_is_no_graphql_request(body: str | bytes, part: str, accept: str) -> None:
    with capture_logs() as logs:
        response = await post(body, accept=accept)
    assert (response.status_code, codes(response)) == (400, ["BAD_REQUEST"])
    assert part in response.json()["errors"][0]["message"]
    assert logs == []


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"query": "{ hello }", "variables": "{"},
        {"query": "{ hello }", "variables": "[]"},
        {"query": "{ hello }", **{f"p{number}": "" for number in range(200)}},
    ],
)
async def test_refuses_an_address_that_is_no_graphql_request(params: dict[str, str]) -> None:
    response = await get(params)
    assert (response.status_code, codes(response)) == (400, ["BAD_REQUEST"])


@pytest.mark.parametrize("accept", [GRAPHQL, JSON, EVENTS])
async def test_refuses_a_mutation_by_get(accept: str) -> None:
    response = await get({"query": 'mutation { change(name: "x") }'}, accept=accept)
    assert (response.status_code, codes(response)) == (405, ["METHOD_NOT_ALLOWED"])
    assert response.headers["allow"] == "POST"
    assert changes == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
async def test_refuses_other_methods(method: str) -> None:
    async with a_client() as client:
        response = await client.request(method, "/graphql")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("content_type", OTHER_TYPES)
async def test_refuses_a_body_of_another_type(content_type: str) -> None:
    response = await post({"query": 'mutation { change(name: "x") }'}, content_type=content_type)
    assert (response.status_code, codes(response)) == (415, ["UNSUPPORTED_MEDIA_TYPE"])
    assert changes == []


async def test_refuses_a_client_that_accepts_none_of_its_media_types() -> None:
    response = await post({"query": "{ hello }"}, accept="image/png")
    assert (response.status_code, codes(response)) == (406, ["NOT_ACCEPTABLE"])


@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
async def test_refuses_a_subscription_whose_client_accepts_one_response_only(accept: str) -> None:
    response = await post({"query": "subscription { count }"}, accept=accept)
    assert (response.status_code, codes(response)) == (406, ["NOT_ACCEPTABLE"])
    assert "WebSocket" in response.json()["errors"][0]["message"]


async def test_refuses_a_body_that_announces_to_be_too_large() -> None:
    body = {"query": "{ hello }" + " " * 100}
    response = await post(body, options={"limits": Limits(max_body_bytes=100)})
    assert (response.status_code, codes(response)) == (413, ["LIMIT_EXCEEDED"])


async def test_refuses_a_body_that_becomes_too_large_while_it_comes() -> None:
    async def chunks() -> AsyncGenerator[bytes, None]:
        for _ in range(1_000):
            yield b"x" * 10

    async with a_client(limits=Limits(max_body_bytes=100)) as client:
        response = await client.post(
            "/graphql", content=chunks(), headers={"content-type": "application/json"}
        )
    assert (response.status_code, codes(response)) == (413, ["LIMIT_EXCEEDED"])


async def test_refuses_a_body_that_comes_too_slowly() -> None:
    async def chunks() -> AsyncGenerator[bytes, None]:
        yield b"{"
        await asyncio.sleep(60)

    async with a_client(limits=Limits(max_body_seconds=0.05)) as client:
        response = await client.post(
            "/graphql", content=chunks(), headers={"content-type": "application/json"}
        )
    assert (response.status_code, codes(response)) == (408, ["LIMIT_EXCEEDED"])


async def test_refuses_a_caller_it_does_not_know() -> None:
    response = await post({"query": "{ hello }"}, authorization="Bearer wrong")
    assert (response.status_code, codes(response)) == (401, ["UNAUTHENTICATED"])
    assert response.headers["www-authenticate"] == "Bearer"
    assert list(response.json()) == ["errors"]


async def test_refuses_a_caller_without_the_right() -> None:
    response = await post({"query": "{ hello }"}, authorization="Bearer forbidden")
    assert (response.status_code, codes(response)) == (403, ["FORBIDDEN"])


async def test_says_when_to_come_back_if_the_caller_cannot_be_identified_now() -> None:
    response = await post({"query": "{ hello }"}, authorization="Bearer unknowable")
    assert (response.status_code, codes(response)) == (503, ["STORE_UNAVAILABLE"])
    assert response.headers["retry-after"] == "5"


async def test_masks_an_error_before_an_operation_runs() -> None:
    with capture_logs() as logs:
        response = await post({"query": "{ hello }"}, authorization="Bearer down")
    assert (response.status_code, codes(response)) == (500, ["INTERNAL"])
    assert "secret" not in response.text
    assert logs[0]["error_id"] == response.json()["errors"][0]["extensions"]["id"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://gateway.example"}, 200),
        ({"origin": "https://gateway.example", "sec_fetch_site": "same-origin"}, 200),
        ({"origin": "https://tools.example"}, 200),
        ({"origin": "https://TOOLS.example:443"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://gateway.example.evil.example"}, 403),
        ({"origin": "http://gateway.example:8080"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_serves_pages_of_its_own_and_of_allowed_origins_only(
    headers: dict[str, str], status: int
) -> None:
    options = {"allowed_origins": ["https://tools.example"]}
    response = await post({"query": 'mutation { change(name: "x") }'}, options=options, **headers)
    assert response.status_code == status
    assert changes == (["x"] if status == 200 else [])


def test_refuses_to_allow_a_text_that_is_no_origin() -> None:
    with pytest.raises(ValueError, match="Expected an origin like"):
        an_endpoint(allowed_origins=["tools.example/path"])


def test_refuses_a_schema_whose_extensions_would_not_run() -> None:
    with pytest.raises(ValueError, match="without strawberry extensions"):
        GraphQLEndpoint(strawberry.Schema(Query, extensions=[MaskErrors]), context_for=identify)


async def test_shows_a_browser_the_ide_without_a_key() -> None:
    browser = "text/html,application/xhtml+xml,*/*;q=0.8"
    for params in ({}, {"query": "{ hello }"}):
        response = await get(params, accept=browser, options={"ide": an_ide}, authorization="Bearer wrong")
        assert (response.status_code, response.text) == (200, "the ide")


async def test_gives_the_request_to_the_ide() -> None:
    def ide(request: Request) -> Response:
        return Response(request.url.path)

    assert (await get({}, accept="text/html", options={"ide": ide})).text == "/graphql"


async def test_answers_a_browser_in_json_when_it_has_no_ide() -> None:
    response = await get({"query": "{ hello }"}, accept="text/html,*/*;q=0.8")
    assert response.json() == {"data": {"hello": "hello you"}}


async def test_answers_limits_that_are_exceeded_with_their_code() -> None:
    query = "{ " + " ".join(f"a{number}: hello" for number in range(31)) + " }"
    options = {"limits": Limits(max_root_fields=100)}
    response = await post({"query": query}, accept=GRAPHQL, options=options)
    assert (response.status_code, codes(response)) == (400, ["LIMIT_EXCEEDED"])


async def test_answers_no_field_duplication_over_the_token_limit() -> None:
    response = await post({"query": "{ " + "hello " * 3_000 + "}"}, accept=GRAPHQL)
    assert (response.status_code, codes(response)) == (400, ["GRAPHQL_PARSE_FAILED"])


async def test_answers_no_circular_introspection() -> None:
    query = "{ __schema { types { " + "fields { type { " * 4 + "name " + "} }" * 4 + "} } }"
    response = await post({"query": query}, accept=GRAPHQL)
    assert response.status_code == 400
    assert "Maximum introspection depth exceeded" in response.json()["errors"][0]["message"]


async def test_answers_no_introspection_when_it_is_off() -> None:
    options = {"limits": Limits(introspection=False)}
    response = await post({"query": "{ __schema { __typename } }"}, options=options)
    assert codes(response) == ["GRAPHQL_VALIDATION_FAILED"]
    response = await post({"query": "{ helo }"}, options=options)
    assert response.json()["errors"][0]["message"] == "Cannot query field 'helo' on type 'Query'."


async def test_suggests_no_enum_values_of_variables_when_introspection_is_off() -> None:
    options = {"limits": Limits(introspection=False)}
    body = {"query": "query($n: String!) { hello(name: $n) }", "variables": {"n": 5}}
    response = await post(body, options=options)
    assert "Did you mean" not in response.text


async def test_streams_a_subscription_as_server_sent_events() -> None:
    response = await post({"query": "subscription { count(to: 2) }"}, accept=EVENTS)
    assert response.status_code == 200
    assert response.headers["content-type"] == EVENTS
    assert response.text == (
        'event: next\r\ndata: {"data":{"count":0}}\r\n\r\n'
        'event: next\r\ndata: {"data":{"count":1}}\r\n\r\n'
        "event: complete\r\ndata: \r\n\r\n"
    )
    assert open_streams == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("subscription { unknown }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription($t: Int!) { count(to: $t) }", "BAD_USER_INPUT"),
    ],
)
async def test_streams_the_errors_of_an_operation_that_cannot_run(query: str, code: str) -> None:
    response = await post({"query": query}, accept=EVENTS)
    [event, complete, _] = response.text.split("\r\n\r\n")
    [error] = json.loads(event.partition("data: ")[2])["errors"]
    assert (response.status_code, error["extensions"]["code"]) == (200, code)
    assert complete == "event: complete\r\ndata: "


async def test_streams_the_one_response_of_a_query() -> None:
    response = await post({"query": "{ hello }"}, accept=EVENTS)
    assert response.text == (
        'event: next\r\ndata: {"data":{"hello":"hello you"}}\r\n\r\nevent: complete\r\ndata: \r\n\r\n'
    )


@pytest.mark.parametrize(("field", "code"), [("breaks", "INTERNAL"), ("refuses", "INVALID_INPUT")])
async def test_ends_a_stream_that_breaks_with_an_error(field: str, code: str) -> None:
    with capture_logs() as logs:
        response = await post({"query": f"subscription {{ {field} }}"}, accept=EVENTS)
    first, second, complete, _ = response.text.split("\r\n\r\n")
    assert json.loads(first.partition("data: ")[2]) == {"data": {field: 0}}
    assert json.loads(second.partition("data: ")[2])["errors"][0]["extensions"]["code"] == code
    assert complete == "event: complete\r\ndata: "
    assert "secret" not in response.text
    assert len(logs) == (code == "INTERNAL")


async def refuse(_: Mapping[str, str]) -> None:
    raise Unauthenticated


async def test_ends_a_stream_whose_caller_lost_the_right() -> None:
    response = await post({"query": "subscription { count }"}, accept=EVENTS, options={"recheck": refuse})
    first, second, complete, _ = response.text.split("\r\n\r\n")
    assert json.loads(first.partition("data: ")[2]) == {"data": {"count": 0}}
    [error] = json.loads(second.partition("data: ")[2])["errors"]
    assert error["extensions"] == {"code": "UNAUTHENTICATED"}
    assert complete == "event: complete\r\ndata: "
    assert open_streams == []


async def test_ends_a_subscription_whose_client_goes() -> None:
    gone = asyncio.Event()
    body = json.dumps({"query": "subscription { forever }"}).encode()
    requests = iter([{"type": "http.request", "body": body}])

    async def receive() -> dict[str, Any]:
        for message in requests:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message.get("body"):
            assert open_streams == ["forever"]
            gone.set()

    headers = [(b"content-type", b"application/json"), (b"accept", EVENTS.encode())]
    scope = {"type": "http", "method": "POST", "headers": headers, "asgi": {"spec_version": "2.3"}}
    await an_endpoint()(scope, receive, send)
    assert open_streams == []


async def test_keeps_an_idle_stream_open_by_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uplift.graphql_api.engine.response._sse.heartbeat_interval", 0.01)

    async def slow() -> AsyncGenerator[dict[str, Any], None]:
        await asyncio.sleep(0.05)
        yield {"data": 1}

    stream: Any = event_stream(slow(), asyncio.Event())
    events = [event async for event in stream.body_iterator if event]
    assert events[0] == ": ping\r\n\r\n"
    assert [event for event in events if event != events[0]] == [
        'event: next\r\ndata: {"data":1}\r\n\r\n',
        "event: complete\r\ndata: \r\n\r\n",
    ]


def test_builds_two_schemas_in_one_process() -> None:
    assert str(a_schema()) == str(a_schema())


LONG = "x" * 400_000


@pytest.mark.parametrize(
    "request_",
    [
        {"query": "query($n: Int!) { hello(name: $n) }", "variables": {"n": LONG}},
        {"query": "query($n: Int!) { hello }", "variables": {"n": {LONG: LONG}}},
        {"query": "query A { hello } query B { hello }", "operationName": LONG},
        {"query": f"{{ {LONG} }}"},
        {"query": f"{{ hello( {LONG} }}"},
    ],
    ids=["a value", "a name", "an operation", "a field", "a syntax error"],
)
async def test_an_error_repeats_only_the_beginning_of_a_long_text(request_: dict[str, object]) -> None:
    async with a_client() as client:
        reply = await client.post("/graphql", json=request_)
    assert len(reply.content) < 5_000
    assert reply.json()["errors"]


@pytest.mark.parametrize("accept", ["application/json", EVENTS])
@pytest.mark.parametrize(
    ("value", "error"),
    [(b"1e999", "Number out of range"), (b'"\xff"', "Invalid UTF-8"), (b"[1", "malformed")],
    ids=["number", "encoding", "syntax"],
)
async def test_refuses_an_unreadable_value_in_a_large_body(accept: str, value: bytes, error: str) -> None:
    query = b'{"query": "query($n: String!) { hello(name: $n) }", "variables": {"n": ['
    content = query + b'["%s"],' % (b"x" * 100) * 2_000 + b"[%s]]}}" % value
    headers = {"content-type": "application/json", "accept": accept}
    async with a_client() as client:
        reply = await client.post("/graphql", content=content, headers=headers)
    assert (reply.status_code, codes(reply)) == (400, ["BAD_REQUEST"])
    assert error in reply.json()["errors"][0]["message"]
