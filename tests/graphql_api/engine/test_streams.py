"""Tests the bounds on open streams, and their end when a key is no longer valid."""

import asyncio
import json
from collections.abc import AsyncGenerator, Hashable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx2
import pytest
from starlette.responses import StreamingResponse
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from tests.graphql_api.engine.served import an_app, open_streams
from uplift.graphql_api.engine.endpoint import Limits
from uplift.graphql_api.engine.response import event_stream
from uplift.graphql_api.engine.streams import StreamRefusal, Streams
from uplift.web.errors import RequestError

PROTOCOL = "graphql-transport-ws"
EVENTS = "text/event-stream"


def streams_of(limits: Limits) -> tuple[Streams, list[StreamRefusal]]:
    refusals: list[StreamRefusal] = []
    return Streams(limits, on_refusal=refusals.append), refusals


def open_of(streams: Streams, slots: ExitStack, owner: str) -> int | None:
    """Open a stream; returns the status if it is refused."""
    try:
        slots.enter_context(streams.opened(owner, asyncio.Event()))
    except RequestError as refused:
        return refused.status
    return None


def test_a_caller_has_only_so_many_streams() -> None:
    streams, refusals = streams_of(Limits(max_streams_per_key=2))
    with ExitStack() as slots:
        assert [open_of(streams, slots, "ada") for _ in range(3)] == [None, None, 429]
        assert open_of(streams, slots, "bob") is None
        assert set(streams.owners) == {"ada", "bob"}
    assert refusals == [StreamRefusal.CALLER_FULL]
    assert list(streams.owners) == []


def test_the_last_streams_are_kept_for_callers_that_have_none() -> None:
    streams, refusals = streams_of(Limits(max_streams=20, max_streams_per_key=20))
    with ExitStack() as slots:
        assert [open_of(streams, slots, "ada") for _ in range(19)] == [None] * 18 + [503]
        assert open_of(streams, slots, "bob") is None
        assert open_of(streams, slots, "bob") == 503
        assert open_of(streams, slots, "cem") is None
        assert open_of(streams, slots, "dora") == 503
    assert refusals == [StreamRefusal.SERVER_FULL] * 3
    with ExitStack() as slots:
        assert open_of(streams, slots, "dora") is None


def test_one_stream_in_all_goes_to_the_caller_that_comes_first() -> None:
    streams, _ = streams_of(Limits(max_streams=1))
    with ExitStack() as slots:
        assert [open_of(streams, slots, owner) for owner in ("ada", "bob")] == [None, 503]


def test_one_address_takes_half_of_the_waiting_sockets() -> None:
    streams, refusals = streams_of(Limits(max_waiting_sockets=8))
    with ExitStack() as slots:
        for address in "ab":
            for _ in range(4):
                slots.enter_context(streams.waiting(address))
            with pytest.raises(RequestError) as refused:
                slots.enter_context(streams.waiting(address))
            assert refused.value.status == 503
        with pytest.raises(RequestError):
            slots.enter_context(streams.waiting("e"))
    assert refusals == [StreamRefusal.WAITING_FULL] * 3
    with streams.waiting("a"):
        pass


def test_only_the_streams_of_one_caller_end() -> None:
    streams, _ = streams_of(Limits())
    ended = {owner: [asyncio.Event(), asyncio.Event()] for owner in ("ada", "bob")}
    with ExitStack() as slots:
        for owner, events in ended.items():
            for event in events:
                slots.enter_context(streams.opened(owner, event))
        streams.end("ada")
        streams.end("nobody")
        assert [event.is_set() for event in ended["ada"]] == [True, True]
        assert [event.is_set() for event in ended["bob"]] == [False, False]


def connect(client: TestClient) -> WebSocketTestSession:
    return client.websocket_connect("/graphql", subprotocols=[PROTOCOL])


def initiate(socket: WebSocketTestSession, key: str) -> Any:
    """The answer to connection_init: a message, or the code and reason of the close."""
    socket.send_json({"type": "connection_init", "payload": {"authorization": key}})
    try:
        return socket.receive_json()
    except WebSocketDisconnect as closed:
        return closed.code, closed.reason


def test_a_socket_waits_in_a_bound_of_its_own_until_its_caller_is_known() -> None:
    client = TestClient(an_app(limits=Limits(max_waiting_sockets=1, max_streams=100)))
    with connect(client) as first:
        with pytest.raises(WebSocketDenialResponse) as denied, connect(client):
            pass
        assert denied.value.status_code == 503
        assert int(denied.value.headers["retry-after"]) > 0
        assert denied.value.json()["errors"][0]["extensions"]["code"] == "LIMIT_EXCEEDED"
        assert initiate(first, "ada") == {"type": "connection_ack"}
        with connect(client) as second:
            assert initiate(second, "ada") == {"type": "connection_ack"}
    with connect(client) as third:
        assert initiate(third, "wrong")[0] == 4403
    with connect(client) as fourth:
        assert initiate(fourth, "ada") == {"type": "connection_ack"}


def test_a_socket_over_the_bound_of_its_caller_is_closed_with_the_reason() -> None:
    client = TestClient(an_app(limits=Limits(max_streams_per_key=1)))
    with connect(client) as first, connect(client) as second, connect(client) as third:
        assert initiate(first, "ada") == {"type": "connection_ack"}
        reason = "Expected at most 1 open streams of one API key; close one, or try later."
        assert initiate(second, "ada") == (1013, reason)
        assert initiate(third, "bob") == {"type": "connection_ack"}
    with connect(client) as again:
        assert initiate(again, "ada") == {"type": "connection_ack"}


def test_an_idle_socket_of_an_ended_key_is_closed() -> None:
    streams = Streams(Limits())
    client = TestClient(an_app(streams=streams))
    with client, connect(client) as socket, connect(client) as other:
        assert initiate(socket, "ada") == {"type": "connection_ack"}
        assert initiate(other, "bob") == {"type": "connection_ack"}
        assert client.portal is not None
        client.portal.call(streams.end, "ada")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()
        assert (closed.value.code, closed.value.reason) == (4403, "The API key is no longer valid.")
        other.send_json({"type": "ping"})
        assert other.receive_json() == {"type": "pong"}
    assert list(streams.owners) == []


def test_a_socket_of_an_ended_key_leaves_no_subscription_behind() -> None:
    streams = Streams(Limits())
    client = TestClient(an_app(streams=streams))
    with client, connect(client) as socket:
        initiate(socket, "ada")
        socket.send_json({"type": "subscribe", "id": "1", "payload": {"query": "subscription { forever }"}})
        assert socket.receive_json()["type"] == "next"
        assert client.portal is not None
        client.portal.call(streams.end, "ada")
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()
    assert open_streams == []


@pytest.mark.anyio
async def test_the_head_of_an_event_stream_does_not_wait_for_its_first_event() -> None:
    async def waiting() -> AsyncGenerator[Mapping[str, Any], None]:
        await asyncio.Event().wait()
        yield {}

    stream = event_stream(waiting(), asyncio.Event())
    assert isinstance(stream, StreamingResponse)
    async with asyncio.timeout(10):
        assert await anext(aiter(stream.body_iterator)) == ""


@pytest.mark.anyio
async def test_an_event_stream_of_an_ended_key_says_so_and_completes() -> None:
    class EndsSoon(Streams):
        """Ends each stream right after it was opened."""

        @contextmanager
        def opened(self, owner: Hashable, ended: asyncio.Event) -> Iterator[None]:
            with super().opened(owner, ended):
                asyncio.get_running_loop().call_later(0.01, self.end, owner)
                yield

    streams = EndsSoon(Limits())
    transport = httpx2.ASGITransport(an_app(streams=streams))
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway.example") as client:
        reply = await client.post(
            "/graphql",
            json={"query": "subscription { forever }"},
            headers={"accept": EVENTS, "authorization": "Bearer ada"},
        )
    *_, last, complete, _ = reply.text.split("\r\n\r\n")
    [error] = json.loads(last.partition("data: ")[2])["errors"]
    assert error["extensions"] == {"code": "UNAUTHENTICATED"}
    assert complete == "event: complete\r\ndata: "
    assert (open_streams, list(streams.owners)) == ([], [])


@pytest.mark.anyio
async def test_event_streams_count_and_are_refused_with_a_time_to_retry() -> None:
    streams = Streams(Limits(max_streams_per_key=1))
    transport = httpx2.ASGITransport(an_app(streams=streams))
    request: Mapping[str, Any] = {
        "json": {"query": "subscription { count }"},
        "headers": {"accept": EVENTS, "authorization": "Bearer ada"},
    }
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway.example") as client:
        with streams.opened("Bearer ada", asyncio.Event()):
            refused = await client.post("/graphql", **request)
            assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
            assert refused.headers["content-type"] == "application/json; charset=utf-8"
            [error] = refused.json()["errors"]
            assert error["extensions"]["code"] == "LIMIT_EXCEEDED"
            assert error["message"].startswith("Expected at most 1 open streams of one API key")
        for _ in range(3):  # each frees its place
            assert (await client.post("/graphql", **request)).status_code == 200
    assert list(streams.owners) == []
