"""`BoundedServer` with applications that do what Uplift's own never does, or only after a long time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from tests.gateway.server.raw import HANDSHAKE, close_code, frame, responses
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.observability.refusals import ConnectionRefusals
from uplift.gateway.server import bounds
from uplift.gateway.server.bounded_server import BoundedServer
from uplift.gateway.server.bounds import Bounds
from uplift.gateway.server.protocol import websocket_handler

pytestmark = pytest.mark.anyio
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
BOUNDS = Bounds(
    connections=10,
    connections_per_address=10,
    head_seconds=10,
    message_seconds=10,
    message_bytes=100_000,
    send_seconds=10,
)
START: Message = {"type": "http.response.start", "status": 200, "headers": []}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class _Server(BoundedServer):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[tuple[str, int]]:
    """The address of a server of this application."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(app, BOUNDS, ConnectionRefusals(Metrics()), stop_seconds=1, lifespan="off")
        task = asyncio.create_task(server.serve([listener]))
        yield listener.getsockname()[:2]
        server.should_exit = True
        await task


async def exchange(app: ASGIApp, request: bytes) -> bytes:
    """All that a server of this application sends before it closes the connection."""
    async with serving(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(request)
        said = b""
        with suppress(ConnectionError):
            said = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return said


async def accept_and_wait(_: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def test_a_websocket_that_answers_no_ping_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_handler, "PING_SECONDS", 0.2)
    said = await exchange(accept_and_wait, HANDSHAKE.encode() + b"\r\n")
    assert b"\x89\x00" in said
    assert close_code(said) == 1011


async def test_a_websocket_that_answers_pings_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_handler, "PING_SECONDS", 0.2)
    async with serving(accept_and_wait) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(HANDSHAKE.encode() + b"\r\n")
        for _ in range(4):
            await reader.readuntil(b"\x89\x00")
            writer.write(frame(b"", opcode=10))
        writer.close()


async def test_all_websockets_together_hold_a_bounded_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MAX_SOCKET_BYTES", 1_000)

    async def known(_: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "uplift.websocket.authenticated"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    unfinished = HANDSHAKE.encode() + b"\r\n" + frame(b"x" * 99_000)[:-1]
    async with serving(known) as address:
        clients = [await asyncio.open_connection(*address) for _ in range(5)]
        for _, writer in clients:
            writer.write(unfinished)
        ended = [asyncio.create_task(reader.read()) for reader, _ in clients]
        done, pending = await asyncio.wait(ended, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        assert close_code(done.pop().result()) == 1013
        assert len(pending) == 4
        for _, writer in clients:
            writer.close()
        await asyncio.gather(*pending)


async def test_a_reply_to_http_1_0_is_not_chunked() -> None:
    async def stream(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        for part in (b"one ", b"two"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    said = await exchange(stream, b"GET / HTTP/1.0\r\n\r\n")
    assert said.endswith(b"\r\n\r\none two")
    assert b"chunked" not in said
    said = await exchange(stream, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert said.endswith(b"\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_an_application_that_fails_is_logged_and_answered() -> None:
    async def failing(_: Scope, __: Receive, ___: Send) -> None:
        raise ValueError("a fault")

    with capture_logs() as logs:
        [reply] = responses(await exchange(failing, GET))
    assert (reply.status, reply.body, reply.headers["connection"]) == (500, b"Internal Server Error", "close")
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["the application failed"]


async def test_a_reply_that_breaks_off_is_not_taken_for_whole() -> None:
    async def breaking(_: Scope, __: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("a fault")

    assert not (await exchange(breaking, GET)).endswith(b"0\r\n\r\n")


async def test_an_application_that_fails_before_the_body_is_answered_by_an_error() -> None:
    async def failing(_: Scope, __: Receive, send: Send) -> None:
        await send({**START, "headers": [(b"content-length", b"9"), (b"x-lost", b"1")]})
        await send({"type": "http.response.body", "body": b"short"})

    with capture_logs():
        [reply] = responses(await exchange(failing, GET))
    assert (reply.status, reply.body) == (500, b"Internal Server Error")
    assert "x-lost" not in reply.headers


async def test_a_client_is_not_invited_to_send_a_body_once_its_answer_has_begun() -> None:
    async def answering_early(_: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "headers": [(b"content-length", b"2")]})
        reading = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"ok"})
        await reading

    request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
    said = await exchange(answering_early, request)
    assert b"100 Continue" not in said
    assert said.endswith(b"\r\n\r\nok")


@pytest.mark.parametrize(
    "header", [(b"a", b"b\r\nset-cookie: c"), (b"a\r\nb", b"c"), (b"a:", b"b"), (b"a", b"\x00")]
)
async def test_a_header_cannot_break_a_reply_in_two(header: tuple[bytes, bytes]) -> None:
    async def injecting(_: Scope, __: Receive, send: Send) -> None:
        await send({**START, "headers": [header]})

    [reply] = responses(await exchange(injecting, GET))
    assert reply.status == 500
    assert "set-cookie" not in reply.headers


async def test_an_application_learns_that_its_client_is_gone() -> None:
    learned = asyncio.Event()

    async def waiting(_: Scope, receive: Receive, __: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        learned.set()

    async with serving(waiting) as address:
        _, writer = await asyncio.open_connection(*address)
        writer.write(GET)
        await writer.drain()
        writer.close()
        await asyncio.wait_for(learned.wait(), 30)
