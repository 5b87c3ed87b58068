"""Webhooks: signed as the reference library wants it, and bounded in time and in where they go."""

import asyncio
import base64
import json
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Sequence
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Reference
from standardwebhooks.webhooks import WebhookVerificationError

from tests.engines.scripted_server import Answer, Received, ScriptedServer, reply, served
from uplift.domain.clock import utc_now
from uplift.domain.model.link import SecretPlace, Webhook
from uplift.engines.webhooks.addresses import is_public
from uplift.engines.webhooks.client import WebhookClient
from uplift.engines.webhooks.errors import WebhookError, WebhookGoneError
from uplift.engines.webhooks.events import OrdersEvent

pytestmark = pytest.mark.anyio


def secret_of(letter: str, size: int = 32) -> str:
    return f"whsec_{base64.b64encode(letter.encode() * size).decode()}"


NEW, OLD = secret_of("n"), secret_of("o")
PLACE = SecretPlace(environment="UPLIFT_LINK_HOOK")
OLD_PLACE = SecretPlace(environment="UPLIFT_LINK_HOOK_OLD")
EVENT = OrdersEvent(id="msg_1", link="own", upgrade="6f1c", after=0, count=5, created_at=utc_now())


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLIFT_LINK_HOOK", NEW)


def hook_of(server: ScriptedServer | str, **changes: SecretPlace) -> Webhook:
    url = server if isinstance(server, str) else server.url
    return Webhook(**{"url": url, "secret": PLACE, "old_secret": OLD_PLACE, **changes})  # type: ignore[arg-type]


async def send(
    webhook: Webhook,
    *,
    allow_private: bool = True,
    total_seconds: float = 15,
    addresses: Sequence[str] | None = None,
) -> None:
    """Send the event. With `addresses`, the host has these."""

    async def find(_: str, __: int) -> Sequence[str]:
        assert addresses is not None
        return addresses

    find_with = {} if addresses is None else {"find": find}
    client = WebhookClient(
        webhook, clock=utc_now, allow_private=allow_private, total_seconds=total_seconds, **find_with
    )
    try:
        await client.send(EVENT)
    finally:
        await client.close()


async def error_of(sending: Awaitable[None]) -> str:
    with pytest.raises(WebhookError) as caught:
        await sending
    message = caught.value.message
    assert message.startswith("Expected ")
    assert "\n" not in message
    assert not any(secret.removeprefix("whsec_") in message for secret in (NEW, OLD))
    return message


async def test_the_reference_library_accepts_the_signature() -> None:
    async with served(reply()) as server:
        await send(hook_of(server))
    (received,) = server.received
    assert received.method == "POST"
    data = Reference(NEW).verify(received.body, received.headers)
    assert data == {
        "type": "uplift.moves.ordered",
        "timestamp": EVENT.created_at.isoformat(),
        "data": {"link": "own", "upgrade": "6f1c", "after": 0, "count": 5},
    }
    assert received.headers["webhook-id"] == "msg_1"
    assert received.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Reference(OLD).verify(received.body, received.headers)


async def test_both_secrets_sign_while_they_are_rotated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    async with served(reply()) as server:
        hook = hook_of(server, old_secret=SecretPlace(file=str(old)))
        await send(hook)
        old.write_text(f"{OLD}\n")
        await send(hook)
        old.write_text("")
        monkeypatch.setenv("UPLIFT_LINK_HOOK", secret_of("x"))
        await send(hook)
    counts = [len(received.headers["webhook-signature"].split(" ")) for received in server.received]
    assert counts == [1, 2, 1]
    rotating = server.received[1]
    for secret in (NEW, OLD):
        Reference(secret).verify(rotating.body, rotating.headers)
    Reference(secret_of("x")).verify(server.received[2].body, server.received[2].headers)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "geheim",
        NEW.removeprefix("whsec_"),
        secret_of("s", 23),
        secret_of("s", 65),
        f"{NEW[:-2]}=",
        "whsec_ä",
    ],
)
async def test_a_secret_of_another_form_sends_nothing(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(reply()) as server:
        monkeypatch.setenv("UPLIFT_LINK_HOOK", secret)
        assert "UPLIFT_LINK_HOOK" in await error_of(send(hook_of(server)))
        monkeypatch.setenv("UPLIFT_LINK_HOOK", NEW)
        if secret:
            monkeypatch.setenv("UPLIFT_LINK_HOOK_OLD", secret)
            assert "UPLIFT_LINK_HOOK_OLD" in await error_of(send(hook_of(server)))
        missing = hook_of(server, secret=SecretPlace(file="/none/such"))
        assert "/none/such" in await error_of(send(missing))
    assert server.received == []


async def silence(_: Received, __: asyncio.StreamWriter) -> None:
    """Answer nothing."""


async def drip(_: Received, writer: asyncio.StreamWriter) -> None:
    """Send headers without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-more: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (reply(status=500), "the answer is 500."),
        (reply(status=404), "the answer is 404."),
        (reply(status=304), "the answer is 304, a redirect"),
        (reply(status=302, location="http://127.0.0.1:9/"), "the answer is 302, a redirect"),
        (reply(status=410), "wants no more of them"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "Expected an answer to the webhook, but"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 500_000, "Expected an answer to the webhook, but"),
        (silence, "within 0.3 seconds"),
        (drip, "within 0.3 seconds"),
    ],
)
async def test_any_other_answer_is_an_error(answer: Answer | bytes, message: str) -> None:
    async with served(answer) as server:
        assert message in await error_of(send(hook_of(server), total_seconds=0.3))
    assert len(server.received) == 1


async def test_only_410_ends_all_webhooks() -> None:
    async with served(reply(status=410)) as server:
        with pytest.raises(WebhookGoneError):
            await send(hook_of(server))
    async with served(reply(status=400)) as server:
        with pytest.raises(WebhookError) as caught:
            await send(hook_of(server))
    assert not isinstance(caught.value, WebhookGoneError)


async def test_what_follows_the_head_of_the_answer_is_not_read() -> None:
    async def endless(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 204 No Content\r\ncontent-length: 999999999\r\n\r\n")
        while True:
            writer.write(b"x" * 1_000)
            await writer.drain()

    async with served(endless) as server:
        await send(hook_of(server))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%2",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
    ],
)
async def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    assert not is_public(address)
    message = await error_of(
        send(hook_of("http://shop.example/"), allow_private=False, addresses=["192.0.43.10", address])
    )
    assert "UPLIFT_WEBHOOK_PRIVATE_ADDRESSES" in message


@pytest.mark.parametrize("address", ["8.8.8.8", "192.0.43.10", "2606:4700::1", "64:ff9b::808:808"])
def test_other_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_no_form_of_a_private_address_is_connected_to(host: str) -> None:
    async with served(reply()) as server:
        port = server.url.split(":")[2].split("/")[0]
        await error_of(send(hook_of(f"http://{host}:{port}/"), allow_private=False))
    assert server.received == []


async def test_connects_to_the_address_that_was_checked_under_the_name_of_the_host() -> None:
    """The name is resolved once, so it cannot lead elsewhere after the check."""
    async with served(reply()) as server:
        port = server.url.split(":")[2].split("/")[0]
        await send(hook_of(f"http://shop.invalid:{port}/hook"), addresses=["127.0.0.1"])
    (received,) = server.received
    assert (received.path, received.headers["host"]) == ("/hook", f"shop.invalid:{port}")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
async def test_the_certificate_must_be_of_the_host_and_not_of_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate, key = tmp_path / "shop.pem", tmp_path / "shop.key"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    names = ["-subj", "/CN=shop.invalid", "-addext", "subjectAltName=DNS:shop.invalid"]
    made = [*new, *names, "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    await asyncio.to_thread(subprocess.run, made, check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with served(reply(), context) as server:
        port = server.url.split(":")[2].split("/")[0]
        await send(hook_of(f"https://shop.invalid:{port}/"), addresses=["127.0.0.1"])
        message = await error_of(send(hook_of(f"https://other.invalid:{port}/"), addresses=["127.0.0.1"]))
    assert "other.invalid" in message
    assert len(server.received) == 1


async def test_the_next_address_is_tried_if_nobody_listens_at_the_first() -> None:
    async with served(reply()) as server:
        port = server.url.split(":")[2].split("/")[0]
        await send(hook_of(f"http://shop.invalid:{port}/"), addresses=["127.0.0.2", "127.0.0.1"])
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "url", ["http://shop.invalid/", "http://127.0.0.1:1/", "http://[::::]/", "http://ä_.ö/"]
)
async def test_a_host_that_is_not_there_is_an_error(url: str) -> None:
    await error_of(send(hook_of(url)))


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(reply()) as proxy, served(reply()) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        await send(hook_of(server))
    assert (len(proxy.received), len(server.received)) == (0, 1)


def test_the_body_is_small_whatever_the_names() -> None:
    event = OrdersEvent(
        id="msg", link="ä" * 100, upgrade="u" * 36, after=10**18, count=10**9, created_at=utc_now()
    )
    assert len(event.body) < 1_000
    assert json.loads(event.body)["data"]["link"] == "ä" * 100
