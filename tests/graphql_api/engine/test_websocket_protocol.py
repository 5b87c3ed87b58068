"""Tests operations over WebSockets: the protocol graphql-transport-ws, its callers and its limits."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect
from structlog.testing import capture_logs

from tests.graphql_api.engine.served import an_app, changes, open_streams
from uplift.domain.errors import Unauthenticated
from uplift.graphql_api.engine.endpoint import Limits
from uplift.web.request_memory import MIN_BYTES, RequestMemory

PROTOCOL = "graphql-transport-ws"


@contextmanager
def a_socket(
    *, headers: dict[str, str] | None = None, protocol: str = PROTOCOL, **options: Any
) -> Iterator[WebSocketTestSession]:
    client = TestClient(an_app(**options))
    with client.websocket_connect("/graphql", subprotocols=[protocol], headers=headers or {}) as socket:
        yield socket


def initiate(socket: WebSocketTestSession, **payload: object) -> None:
    socket.send_json({"type": "connection_init", "payload": payload})
    assert socket.receive_json() == {"type": "connection_ack"}


@pytest.mark.parametrize("payload", [{}, {"payload": None}, {"payload": {}}])
def test_a_client_may_send_nothing_or_null_in_place_of_a_payload(payload: dict[str, object]) -> None:
    with a_socket() as socket:
        socket.send_json({"type": "connection_init", **payload})
        assert socket.receive_json() == {"type": "connection_ack"}


def subscribe(socket: WebSocketTestSession, query: Any, **more: object) -> None:
    socket.send_json({"type": "subscribe", "id": "1", "payload": {"query": query, **more}})


def test_an_idle_socket_keeps_nothing_of_its_last_message() -> None:
    with a_socket() as socket:
        initiate(socket)
        subscribe(socket, "{ hello }", variables={"unused": [""] * 54_321})
        assert socket.receive_json()["payload"] == {"data": {"hello": "hello you"}}
        assert socket.receive_json()["type"] == "complete"
        socket.send_json({"type": "ping"})  # once it is answered, the server waits for the next message
        assert socket.receive_json() == {"type": "pong"}
        socket.send_json({"type": "ping", "payload": {"unused": [""] * 54_321}})
        assert socket.receive_json() == {"type": "pong"}
        assert not [held for held in gc.get_objects() if type(held) is list and len(held) == 54_321]


def test_the_operations_of_a_caller_are_bounded_in_sum() -> None:
    memory = RequestMemory(max_body_bytes=1_000)
    with a_socket(memory=memory) as socket, memory.held(None) as held:
        initiate(socket)
        held.add_bytes(MIN_BYTES // 2 - 30_000)
        for number in range(2):
            payload = {"query": "subscription { forever }", "variables": {"unused": "x" * 20_000}}
            socket.send_json({"type": "subscribe", "id": str(number), "payload": payload})
        messages = [socket.receive_json() for _ in range(2)]
        refused = next(message for message in messages if message["id"] == "1")
        extensions = refused["payload"][0]["extensions"]
        assert (refused["type"], extensions) == ("error", {"code": "LIMIT_EXCEEDED", "retryAfter": 2})
        socket.send_json({"type": "complete", "id": "0"})
        socket.send_json({"type": "ping"})
        while socket.receive_json() != {"type": "pong"}:
            pass
        subscribe(socket, "{ hello }", variables={"unused": "x" * 20_000})
        while (message := socket.receive_json())["id"] == "0":
            pass
        assert message["payload"] == {"data": {"hello": "hello you"}}


def test_a_message_of_too_many_values_closes_its_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uplift.web.json_limits.require_few_values.__defaults__", (100,))
    with a_socket() as socket:
        initiate(socket)
        subscribe(socket, "{ hello }", variables={"unused": [""] * 101})
        assert closing(socket)[0] == 1009


def closing(socket: WebSocketTestSession) -> tuple[int, str]:
    """The code and reason the server closes with."""
    with pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_json()
    return closed.value.code, closed.value.reason


def test_streams_the_results_of_a_subscription() -> None:
    with a_socket() as socket:
        initiate(socket)
        subscribe(socket, "subscription($to: Int!) { count(to: $to) }", variables={"to": 2})
        messages = [socket.receive_json() for _ in range(3)]
    assert messages == [
        {"type": "next", "id": "1", "payload": {"data": {"count": 0}}},
        {"type": "next", "id": "1", "payload": {"data": {"count": 1}}},
        {"type": "complete", "id": "1"},
    ]


def test_answers_queries_and_mutations_too() -> None:
    changes.clear()
    with a_socket() as socket:
        initiate(socket)
        subscribe(socket, 'query A { hello } mutation B { change(name: "x") }', operationName="B")
        assert socket.receive_json()["payload"] == {"data": {"change": "x"}}
    assert changes == ["x"]


@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_knows_the_caller_by_the_first_message(name: str) -> None:
    with a_socket(headers={"authorization": "Bearer wrong"}) as socket:
        initiate(socket, **{name: "Bearer ada"})
        subscribe(socket, "{ caller }")
        assert socket.receive_json()["payload"] == {"data": {"caller": "ada"}}


def test_knows_the_caller_by_the_handshake() -> None:
    with a_socket(headers={"authorization": "Bearer ada"}) as socket:
        initiate(socket)
        subscribe(socket, "{ caller }")
        assert socket.receive_json()["payload"] == {"data": {"caller": "ada"}}


REFUSED = {
    "wrong": "Expected a valid API key as 'Authorization: Bearer <key>'",
    "forbidden": "Expected a system administrator",
}


@pytest.mark.parametrize("key", REFUSED)
def test_closes_to_a_caller_that_is_refused(key: str) -> None:
    with a_socket() as socket:
        socket.send_json({"type": "connection_init", "payload": {"Authorization": f"Bearer {key}"}})
        code, reason = closing(socket)
        assert (code, reason.partition(", but ")[0]) == (4403, REFUSED[key])


def test_starts_no_operation_for_a_key_that_has_been_revoked() -> None:
    revoked: list[bool] = []

    async def identify(headers: Any) -> Any:
        if revoked:
            raise Unauthenticated
        return {"caller": "ada"}

    with a_socket(context_for=identify) as socket:
        initiate(socket)
        revoked.append(True)
        subscribe(socket, "{ caller }")
        message = socket.receive_json()
    assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "UNAUTHENTICATED")


def test_ends_a_subscription_of_a_key_that_has_been_revoked() -> None:
    async def refuse(_: Any) -> None:
        raise Unauthenticated

    with a_socket(recheck=refuse) as socket:
        initiate(socket)
        subscribe(socket, "subscription { count }")
        messages = [socket.receive_json() for _ in range(3)]
    assert [message["type"] for message in messages] == ["next", "next", "complete"]
    assert messages[0]["payload"] == {"data": {"count": 0}}
    [error] = messages[1]["payload"]["errors"]
    assert error["extensions"]["code"] == "UNAUTHENTICATED"
    assert open_streams == []


def test_closes_when_the_first_message_does_not_come() -> None:
    with a_socket(limits=Limits(socket_init_seconds=0.05)) as socket:
        assert closing(socket) == (4408, "Connection initialisation timeout")


def test_closes_to_an_operation_before_the_first_message() -> None:
    with a_socket() as socket:
        subscribe(socket, "{ hello }")
        assert closing(socket) == (4401, "Unauthorized")


def test_closes_to_a_second_first_message() -> None:
    with a_socket() as socket:
        initiate(socket)
        socket.send_json({"type": "connection_init"})
        assert closing(socket) == (4429, "Too many initialisation requests")


def test_closes_to_an_id_in_use() -> None:
    with a_socket() as socket:
        initiate(socket)
        for _ in range(2):
            subscribe(socket, "subscription { forever }")
        assert socket.receive_json()["type"] == "next"
        assert closing(socket) == (4409, "Subscriber for 1 already exists")


def test_closes_to_another_protocol() -> None:
    with a_socket(protocol="graphql-ws") as socket:
        assert closing(socket) == (4406, "Subprotocol not acceptable")


@pytest.mark.parametrize(
    "text",
    [
        "5",
        "[]",
        "null",
        "{",
        "[" * 100_000,
        "{}",
        '{"type": 5}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": {}, "payload": {"query": "{ hello }"}}',
        '{"type": "subscribe", "id": "1", "payload": 5}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 5}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", "variables": [1]}}',
        '{"type": "' + "é" * 200 + '"}',
        '{"type": "connection_init", "payload": 5}',
        '{"type": "complete"}',
        r'{"type": "subscribe", "id": "\ud800", "payload": {"query": "{ hello }"}}',
        r'{"type": "subscribe", "id": "1", "payload": {"query": "{ hello } # \udc00"}}',
        r'{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", "variables": {"a": "\ud800"}}}',
        r'{"type": "subscribe", "id": "1", "payload": {"query": "{ hello }", "operationName": "\ud800"}}',
        r'{"type": "ping", "payload": {"\ud800": "\udc00\ud800"}}',
        '{"type": "ping", "payload": {"a": NaN}}',
    ],
)
def test_closes_to_a_message_that_breaks_the_protocol(text: str) -> None:
    with capture_logs() as logs, a_socket() as socket:
        initiate(socket)
        socket.send_text(text)
        code, reason = closing(socket)
    assert code == 4400
    assert 0 < len(reason.encode()) <= 123
    assert logs == []


def test_closes_to_a_message_that_is_not_text() -> None:
    with a_socket() as socket:
        initiate(socket)
        socket.send_bytes(b"{}")
        assert closing(socket) == (4400, "WebSocket message type must be text")


def test_closes_to_a_message_that_is_too_large() -> None:
    with a_socket(limits=Limits(max_body_bytes=100)) as socket:
        initiate(socket)
        subscribe(socket, "{ hello }" + " " * 100)
        assert closing(socket) == (1009, "Message too big")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("subscription { unknown }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription($to: Int!) { count(to: $to) }", "BAD_USER_INPUT"),
        ("query($n: String!) { hello(name: $n) }", "BAD_USER_INPUT"),
    ],
)
def test_reports_an_operation_that_cannot_run_and_goes_on(query: str, code: str) -> None:
    with a_socket() as socket:
        initiate(socket)
        subscribe(socket, query)
        message = socket.receive_json()
        assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", code)
        subscribe(socket, "{ hello }")
        assert socket.receive_json()["payload"] == {"data": {"hello": "hello you"}}


@pytest.mark.parametrize("query", ["{ boom }", "subscription { breaks }"])
def test_masks_and_logs_unexpected_errors(query: str) -> None:
    with capture_logs() as logs, a_socket() as socket:
        initiate(socket)
        subscribe(socket, query)
        messages: list[Any] = []
        while not messages or messages[-1]["type"] != "complete":
            messages.append(socket.receive_json())
    assert messages[-2]["payload"]["errors"][0]["extensions"] == {
        "code": "INTERNAL",
        "id": logs[0]["error_id"],
    }
    assert "secret" not in str(messages)


def test_asks_the_client_to_come_back_if_the_caller_cannot_be_identified_now() -> None:
    with capture_logs() as logs, a_socket() as socket:
        socket.send_json({"type": "connection_init", "payload": {"Authorization": "Bearer unknowable"}})
        assert closing(socket) == (1013, "Try again later")
    assert [entry["event"] for entry in logs] == ["store_unavailable"]


def test_closes_and_logs_if_the_caller_cannot_be_identified() -> None:
    with capture_logs() as logs, a_socket() as socket:
        socket.send_json({"type": "connection_init", "payload": {"Authorization": "Bearer down"}})
        assert closing(socket) == (1011, "Unexpected error")
    assert [entry["event"] for entry in logs] == ["unexpected_error"]


def test_limits_the_operations_of_one_socket() -> None:
    with a_socket(limits=Limits(max_operations_per_socket=1)) as socket:
        initiate(socket)
        subscribe(socket, "subscription { forever }")
        assert socket.receive_json()["type"] == "next"
        socket.send_json({"type": "subscribe", "id": "2", "payload": {"query": "{ hello }"}})
        message = socket.receive_json()
    assert (message["id"], message["payload"][0]["message"]) == ("2", "Subscription limit reached")


def test_ends_a_subscription_that_its_client_completes() -> None:
    with a_socket() as socket:
        initiate(socket)
        subscribe(socket, "subscription { forever }")
        assert socket.receive_json()["type"] == "next"
        assert open_streams == ["forever"]
        socket.send_json({"type": "complete", "id": "1"})
        deadline = time.monotonic() + 5
        while open_streams and time.monotonic() < deadline:
            time.sleep(0.01)
        assert open_streams == []


def test_ends_every_subscription_when_its_client_goes() -> None:
    with a_socket() as socket:
        initiate(socket)
        subscribe(socket, "subscription { forever }")
        assert socket.receive_json()["type"] == "next"
    assert open_streams == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_refuses_a_page_of_another_origin(origin: str) -> None:
    with pytest.raises(WebSocketDenialResponse) as denied, a_socket(headers={"origin": origin}):
        pass
    assert denied.value.status_code == 403
    assert denied.value.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN_ORIGIN"


def test_serves_a_page_of_its_own_or_of_an_allowed_origin() -> None:
    for origin in ("http://testserver", "https://tools.example"):
        headers = {"origin": origin}
        with a_socket(headers=headers, allowed_origins=["https://tools.example"]) as socket:
            initiate(socket)


def test_answers_pings() -> None:
    with a_socket() as socket:
        socket.send_json({"type": "ping"})
        assert socket.receive_json() == {"type": "pong"}
