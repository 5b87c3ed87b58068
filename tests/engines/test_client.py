"""The client of engines: bounds on time and bytes, and which fault each kind of answer is."""

import asyncio
import gzip
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

import pytest

from tests.engines.scripted_server import Received, in_json, reply, served
from uplift.domain.model.link import Credentials, CredentialScheme
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind
from uplift.engines.client import EngineClient, Reply
from uplift.engines.transport import Timeouts

pytestmark = pytest.mark.anyio

SHORT = Timeouts(connect=5, read=0.2, total=0.4)
BEARER = Credentials(scheme=CredentialScheme.BEARER, environment="ENGINE_SECRET")
SECRET = "a-very-secret-token"


async def ask(url: str, *, credentials: Credentials | None = None, timeouts: Timeouts | None = None) -> Reply:
    """Send a request to a server, by a client of its own."""
    client = EngineClient(url, credentials=credentials, timeouts=timeouts)
    try:
        return await client.request("GET", "/version", max_bytes=100_000)
    finally:
        await client.close()


async def fault_of(
    url: str, *, credentials: Credentials | None = None, timeouts: Timeouts | None = None
) -> EngineFault:
    """The fault that a request meets, in words of the house."""
    with pytest.raises(EngineFault) as caught:
        (await ask(url, credentials=credentials, timeouts=timeouts)).json()
    assert caught.value.message.startswith("Expected ")
    assert caught.value.message.count("\n") == 0
    return caught.value


async def test_nobody_listens() -> None:
    async with served(b"") as server:
        pass
    assert (await fault_of(server.url)).kind is EngineFaultKind.UNREACHABLE


async def silence(_: Received, writer: asyncio.StreamWriter) -> None:
    """Answer nothing."""


async def drip(_: Received, writer: asyncio.StreamWriter) -> None:
    """Send the reply one byte at a time, without an end."""
    for byte in in_json(["x" * 50_000]):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_headers(_: Received, writer: asyncio.StreamWriter) -> None:
    """Begin a reply, and send headers without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-more: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def early_hints(_: Received, writer: asyncio.StreamWriter) -> None:
    """Send preliminary replies without an end."""
    while True:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("answer", [silence, drip, drip_headers, early_hints])
async def test_no_byte_from_outside_holds_a_request_longer_than_its_time(answer: object) -> None:
    async with served(answer) as server:  # type: ignore[arg-type]  # one of the functions above
        async with asyncio.timeout(60):
            fault = await fault_of(server.url, timeouts=SHORT)
    assert fault.kind is EngineFaultKind.UNREACHABLE


@pytest.mark.parametrize(
    "sent",
    [
        reply('{"version": "1"}')[:-3],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\ncontent-le",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nx-long: " + b"x" * 200_000,
    ],
    ids=["length", "chunk", "head", "no HTTP", "huge head"],
)
async def test_a_connection_that_breaks_in_an_answer_is_unreachable(sent: bytes) -> None:
    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        writer.close()

    async with served(answer) as server:
        assert (await fault_of(server.url)).kind is EngineFaultKind.UNREACHABLE


async def test_no_more_bytes_are_read_than_a_reply_may_have() -> None:
    sent = 0

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        while True:
            writer.write(b"2710\r\n" + b"[" * 10_000 + b"\r\n")
            await writer.drain()  # raises once the client has closed
            sent += 10_000

    async with served(answer) as server:
        fault = await fault_of(server.url)
    assert fault.kind is EngineFaultKind.FAILED
    assert "at most 100,000 bytes" in fault.message
    assert sent < 20_000_000


@pytest.mark.parametrize(
    "sent",
    [
        reply("<html>Welcome</html>", content_type="text/html"),
        reply("<html>Not here</html>", 404, "text/html"),
        reply("", 204),
        reply('{"version": "1'),
        reply("[" * 50_000),
        reply(b"\xff\xfe{"),
        reply("", 302, location="https://elsewhere.example/login"),
        reply(gzip.compress(b"[]"), content_encoding="gzip"),
    ],
    ids=["HTML", "HTML 404", "nothing", "cut off", "deep", "no UTF-8", "redirect", "compressed"],
)
async def test_what_is_no_json_does_not_come_from_the_engine(sent: bytes) -> None:
    async with served(sent) as server:
        fault = await fault_of(server.url)
        assert len(server.received) == 1, "a redirect is not followed"
    assert fault.kind is EngineFaultKind.NOT_THIS_ENGINE


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (HTTPStatus.UNAUTHORIZED, EngineFaultKind.UNAUTHORISED),
        (HTTPStatus.FORBIDDEN, EngineFaultKind.UNAUTHORISED),
        (HTTPStatus.TOO_MANY_REQUESTS, EngineFaultKind.OVERLOADED),
        (HTTPStatus.SERVICE_UNAVAILABLE, EngineFaultKind.OVERLOADED),
        (HTTPStatus.BAD_GATEWAY, EngineFaultKind.UNREACHABLE),
        (HTTPStatus.GATEWAY_TIMEOUT, EngineFaultKind.UNREACHABLE),
    ],
)
@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
async def test_some_statuses_are_faults_whatever_is_in_them(
    status: HTTPStatus, kind: EngineFaultKind, content_type: str
) -> None:
    async with served(reply("{}", status, content_type)) as server:
        fault = await fault_of(server.url)
    assert (fault.kind, fault.retry_after) == (kind, None)


NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("999999999", 999_999_999, 999_999_999),
        (format_datetime(NOW + timedelta(minutes=30), usegmt=True), 60, 1_800),
        (format_datetime(NOW - timedelta(minutes=30), usegmt=True), 0, 0),
    ],
    ids=["seconds", "at once", "very long", "later", "before"],
)
async def test_an_engine_says_how_long_to_leave_it_alone(value: str, least: int, most: int) -> None:
    async with served(reply("", 503, retry_after=value)) as server:
        fault = await fault_of(server.url)
    assert fault.retry_after is not None
    assert timedelta(seconds=least) <= fault.retry_after <= timedelta(seconds=most)


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", "99999999999999999999", "Mon, 99 Foo 2026", ""])
async def test_what_is_no_time_to_come_back_is_ignored(value: str) -> None:
    async with served(reply("", 429, retry_after=value)) as server:
        fault = await fault_of(server.url)
    assert (fault.kind, fault.retry_after) == (EngineFaultKind.OVERLOADED, None)


async def test_a_secret_is_in_no_message_and_in_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("ENGINE_SECRET", SECRET)

    async def answer(request: Received, writer: asyncio.StreamWriter) -> None:
        seen.append(request.headers["authorization"])
        writer.write(
            in_json({"message": f"'{request.headers['authorization']}' (that is {SECRET}) is wrong"}, 401)
        )

    seen: list[str] = []
    async with served(answer) as server:
        bearer = await fault_of(server.url, credentials=BEARER)
        basic = Credentials(scheme=CredentialScheme.BASIC, user="me", environment="ENGINE_SECRET")
        with_user = await fault_of(server.url, credentials=basic)
    assert seen[0] == f"Bearer {SECRET}"
    assert bearer.message == with_user.message
    assert bearer.message.startswith(
        "Expected the engine to allow GET /version, but it answers 401 ('…' (that is …) is wrong)."
    )
    written = f"{caplog.text}{bearer!r}{with_user!r}"
    assert caplog.records
    assert not [secret for secret in (SECRET, seen[1].removeprefix("Basic ")) if secret in written]


async def test_a_message_of_the_engine_is_one_short_line() -> None:
    async with served(in_json({"message": "\x1b[31mred\nand\tmore\x00" + "x" * 10_000}, 403)) as server:
        fault = await fault_of(server.url)
    assert "red and more x" in fault.message
    assert "\x1b" not in fault.message
    assert len(fault.message) < 1_000


async def test_no_cookie_is_kept() -> None:
    async with served(in_json({}, set_cookie="JSESSIONID=1; Path=/")) as server:
        client = EngineClient(server.url)
        for _ in range(2):
            await client.request("GET", "/version")
        await client.close()
    assert all("cookie" not in request.headers for request in server.received)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/engine-rest",
        "host:8080/engine-rest",
        "http://",
        "http://me:hidden@host/engine-rest",
        "http://host/engine-rest?token=hidden",
        "http://host:99999999/engine-rest",
        "",
    ],
)
def test_a_url_is_refused_without_repeating_what_may_be_a_secret(url: str) -> None:
    with pytest.raises(ValueError, match=r"^Expected the URL of an engine") as caught:
        EngineClient(url)
    assert "hidden" not in str(caught.value)
