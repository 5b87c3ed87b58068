"""Tokens of OAuth clients: fetched once, kept until they expire, replaced when the engine refuses them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

import pytest

from tests.engines.camunda8.fake_server import FakeServer
from tests.engines.scripted_server import Received, ScriptedServer, in_json, reply, served
from uplift.domain.model.link import Credentials, CredentialScheme, TokenEndpoint
from uplift.domain.ports.process_engine import EngineFault, EngineFaultKind
from uplift.engines.camunda8 import Camunda8Engine
from uplift.engines.tokens import MARGIN_SECONDS, MAX_REPLY, MIN_AGE_SECONDS, TokenSource
from uplift.engines.transport import Timeouts

pytestmark = pytest.mark.anyio

SECRET = "s3cret+&="


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPLIFT_LINK_CLIENT", SECRET)


@dataclass(kw_only=True)
class Clock:
    """Seconds that pass when a test says so."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(kw_only=True)
class TokenServer:
    """Gives out the tokens `token-1`, `token-2` and so on. `changes` are those of its answers."""

    changes: dict[str, object] = field(default_factory=dict)
    count: int = 0

    async def answer(self, _: Received, writer: asyncio.StreamWriter) -> None:
        self.count += 1
        token = {"access_token": f"token-{self.count}", "token_type": "Bearer", "expires_in": 3_600}
        writer.write(in_json({**token, **self.changes}))


def credentials_of(url: str) -> Credentials:
    return Credentials(
        scheme=CredentialScheme.OAUTH,
        user="uplift",
        environment="UPLIFT_LINK_CLIENT",
        token_endpoint=TokenEndpoint(url=url, audience="zeebe.example", scope="orders"),
    )


def source_of(url: str, clock: Clock | None = None, timeouts: Timeouts | None = None) -> TokenSource:
    credentials = credentials_of(url)
    assert credentials.token_endpoint is not None
    return TokenSource(
        credentials, credentials.token_endpoint, timeouts=timeouts or Timeouts(), monotonic=clock or Clock()
    )


@asynccontextmanager
async def tokens(
    clock: Clock | None = None, **changes: object
) -> AsyncIterator[tuple[TokenSource, ScriptedServer]]:
    async with served(TokenServer(changes=changes).answer) as server:
        source = source_of(server.url, clock)
        yield source, server
        await source.close()


async def test_a_token_is_fetched_by_client_credentials() -> None:
    async with tokens() as (source, server):
        assert (await source.authorization()).header == "Bearer token-1"
    (received,) = server.received
    assert received.method == "POST"
    assert received.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(received.body.decode(), strict_parsing=True) == {
        "grant_type": ["client_credentials"],
        "client_id": ["uplift"],
        "client_secret": [SECRET],
        "audience": ["zeebe.example"],
        "scope": ["orders"],
    }


async def test_requests_at_the_same_time_wait_for_one_token() -> None:
    async with tokens() as (source, server):
        found = await asyncio.gather(*(source.authorization() for _ in range(4)))
    assert {authorization.secret for authorization in found} == {"token-1"}
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("expires_in", "kept"),
    [
        (3_600, 3_600 - MARGIN_SECONDS),
        ("3600", 3_600 - MARGIN_SECONDS),
        (20, 10),
        (10**30, 24 * 3_600 - MARGIN_SECONDS),
        ("soon", 300 - MARGIN_SECONDS),
        (None, 300 - MARGIN_SECONDS),
        (float("nan"), 300 - MARGIN_SECONDS),
        ([], 300 - MARGIN_SECONDS),
        ("9" * 5_000, 300 - MARGIN_SECONDS),
    ],
)
async def test_a_token_is_kept_until_shortly_before_it_expires(expires_in: object, kept: float) -> None:
    clock = Clock()
    async with tokens(clock, expires_in=expires_in) as (source, server):
        await source.authorization()
        clock.now += kept - 0.5
        assert (await source.authorization()).secret == "token-1"
        clock.now += 1
        assert (await source.authorization()).secret == "token-2"
    assert len(server.received) == 2


async def test_a_token_of_no_life_serves_one_request() -> None:
    async with tokens(expires_in=-5) as (source, _):
        assert [(await source.authorization()).secret for _ in range(2)] == ["token-1", "token-2"]


async def test_a_refused_token_is_replaced_unless_it_is_new() -> None:
    clock = Clock()
    async with tokens(clock) as (source, server):
        first = await source.authorization()
        assert not source.drop(first), "a new one would be refused, too"
        clock.now += MIN_AGE_SECONDS
        assert source.drop(first)
        second = await source.authorization()
        assert second.secret == "token-2"
        # The other requests that were sent with the first one.
        assert source.drop(first)
        assert await source.authorization() == second
    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "part"),
    [
        (in_json({"error": "invalid_client"}, 401), EngineFaultKind.UNAUTHORISED, "401 (invalid_client)"),
        (in_json({"error": f"no {SECRET}"}, 400), EngineFaultKind.UNAUTHORISED, "400 (no …)"),
        (in_json({"error": ["x"]}, 403), EngineFaultKind.UNAUTHORISED, "403"),
        (reply("nothing", 401, "text/plain"), EngineFaultKind.UNAUTHORISED, "without a reason"),
        (reply("", 429, retry_after="7"), EngineFaultKind.OVERLOADED, "come back later"),
        (reply("", 302, location="http://elsewhere.example"), EngineFaultKind.NOT_THIS_ENGINE, "redirect"),
        (reply("", 500), EngineFaultKind.UNREACHABLE, "500"),
        (reply("", 502), EngineFaultKind.UNREACHABLE, "502"),
        (reply("", 404), EngineFaultKind.NOT_THIS_ENGINE, "URL of tokens"),
        (reply("<html>", 200, "text/html"), EngineFaultKind.NOT_THIS_ENGINE, "URL of tokens"),
        (reply("[" * 100_000), EngineFaultKind.NOT_THIS_ENGINE, "longer than"),
        (reply("[" * (MAX_REPLY - 1)), EngineFaultKind.NOT_THIS_ENGINE, "has none"),
        (in_json({"access_token": "two words"}), EngineFaultKind.NOT_THIS_ENGINE, "has none"),
        (in_json({"access_token": "x" * 20_000}), EngineFaultKind.NOT_THIS_ENGINE, "has none"),
        (in_json({"access_token": 7}), EngineFaultKind.NOT_THIS_ENGINE, "has none"),
        (in_json({"access_token": "x", "token_type": "mac"}), EngineFaultKind.NOT_THIS_ENGINE, "'mac'"),
    ],
)
async def test_an_answer_without_a_token_blames_no_instance(
    answer: bytes, kind: EngineFaultKind, part: str
) -> None:
    async with served(answer) as server:
        source = source_of(server.url)
        with pytest.raises(EngineFault) as caught:
            await source.authorization()
        await source.close()
    assert caught.value.kind is kind is not EngineFaultKind.FAILED
    assert caught.value.message.startswith("Expected ")
    assert part in caught.value.message
    assert SECRET not in caught.value.message


async def test_a_server_of_tokens_that_sends_byte_by_byte_is_given_up() -> None:
    async def drip(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with served(drip) as server:
        source = source_of(server.url, timeouts=Timeouts(total=0.3))
        with pytest.raises(EngineFault, match=r"token, but there is none after 0.3 seconds") as caught:
            await source.authorization()
        await source.close()
    assert caught.value.kind is EngineFaultKind.UNREACHABLE


async def test_without_a_secret_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPLIFT_LINK_CLIENT")
    async with tokens() as (source, server):
        with pytest.raises(EngineFault, match="UPLIFT_LINK_CLIENT, but there is none") as caught:
            await source.authorization()
    assert caught.value.kind is EngineFaultKind.UNAUTHORISED
    assert server.received == []


async def test_camunda_8_gets_the_token_and_another_one_when_it_refuses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("uplift.engines.tokens.MIN_AGE_SECONDS", 0)
    async with FakeServer.open() as server, served(TokenServer().answer) as login:
        engine = Camunda8Engine(server.url, credentials=credentials_of(login.url))
        server.authorization = "Bearer token-1"
        assert (await engine.describe()).version == "8.8.3"
        assert (await engine.versions()).items == ()
        assert len(login.received) == 1
        server.authorization = "Bearer token-2"  # the first one was revoked
        assert (await engine.describe()).version == "8.8.3"
        assert len(login.received) == 2
        server.authorization = "Bearer of another server"
        with pytest.raises(EngineFault, match="Check the credentials of the link") as caught:
            await engine.describe()
        await engine.close()
    assert caught.value.kind is EngineFaultKind.UNAUTHORISED
    assert len(login.received) == 3, "once for each request that is refused"
