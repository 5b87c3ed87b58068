"""The server adds security headers to every response, and ends slow requests."""

import socket
from collections.abc import Iterator

import httpx2
import pytest

from tests.gateway.gateway_world import a_world, started, with_store
from tests.gateway.served_world import REST, bearing
from uplift.domain import Role
from uplift.gateway.auth.keys import create_key
from uplift.gateway.http.security_headers import HEADERS
from uplift.gateway.server.bounds import MAX_HEAD_BYTES
from uplift.storage.repositories.api_keys import SqlKeys

POLICY = "default-src 'none'; frame-ancestors 'none'"
TIMEOUT = 30


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A server with short timeouts for heads and bodies: its URL, and an administrator's key."""
    folder = tmp_path_factory.mktemp("protection")
    file = folder / "uplift.sqlite"
    with_store(file, a_world)
    _, key = with_store(
        file, lambda store: create_key(SqlKeys(store.database), name="ops", role=Role.SYSTEM_ADMIN)
    )
    with started(
        "serve",
        "--port=0",
        folder=folder,
        UPLIFT_MAX_HEAD_SECONDS="0.3",
        UPLIFT_MAX_BODY_SECONDS="0.3",
        UPLIFT_MAX_BODY_BYTES="1000",
    ) as program:
        yield program.url(), key
        assert key not in program.output + program.errors


REQUESTS = [
    ("GET", "/healthz", {}, b"", 200),
    ("GET", "/readyz", {}, b"", 200),
    ("GET", "/openapi.json", {}, b"", 200),
    ("GET", "/graphql", {"accept": "text/html"}, b"", 200),
    ("GET", "/graphql/static/nothing", {}, b"", 404),
    ("GET", "/nowhere", {}, b"", 404),
    ("POST", "/graphql", {"content-type": "application/json"}, b'{"query": "{ __typename }"}', 200),
    ("POST", "/graphql", {"content-type": "application/json"}, b"[]", 400),
    ("POST", "/graphql", {"content-type": "text/plain"}, b"", 415),
    ("POST", "/graphql", {"content-type": "application/json"}, b" " * 1_001, 413),
    ("POST", "/graphql", {"origin": "https://evil.example"}, b"", 403),
    ("POST", "/graphql", {"authorization": ""}, b"", 401),
    ("PUT", "/graphql", {}, b"", 405),
    ("POST", REST, {}, b"{}", 400),
    ("POST", REST, {"authorization": ""}, b"{}", 401),
    ("POST", f"{REST}/", {}, b"{}", 404),
    ("GET", REST, {}, b"", 405),
    ("TRACE", "/healthz", {}, b"", 405),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "status"), REQUESTS)
def test_every_reply_tells_browsers_to_be_careful(
    served: tuple[str, str], method: str, path: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    url, key = served
    reply = httpx2.request(method, url + path, headers={**bearing(key), **headers}, content=body)
    assert reply.status_code == status
    for name in HEADERS:
        assert len(reply.headers.get_list(name.decode())) == 1, name
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
    assert "server" not in reply.headers
    if not reply.headers["content-type"].startswith("text/html"):
        assert reply.headers["content-security-policy"] == POLICY
        assert reply.headers["cache-control"] == "no-store"


def test_a_refused_websocket_tells_browsers_to_be_careful(served: tuple[str, str]) -> None:
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    upgrade |= {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "origin": "https://evil.example"}
    reply = httpx2.get(f"{served[0]}/graphql", headers=upgrade)
    assert (reply.status_code, reply.headers["content-security-policy"]) == (403, POLICY)


def _sent(url: str, *parts: bytes) -> bytes:
    """The bytes that the server sends before it closes a connection on which these parts were sent."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT) as connection:
        for part in parts:
            connection.sendall(part)
        said = b""
        while some := connection.recv(65_536):
            said += some
    return said


def test_a_connection_that_says_nothing_is_closed(served: tuple[str, str]) -> None:
    assert _sent(served[0]) == b""


@pytest.mark.parametrize("part", [b"GET", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nA: b"])
def test_a_head_that_does_not_end_is_not_waited_for(served: tuple[str, str], part: bytes) -> None:
    said = _sent(served[0], part)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert said.endswith(
        b"\r\nconnection: close\r\n\r\nExpected the head of the request within the time limit."
    )


def test_a_second_head_that_does_not_end_is_not_waited_for(served: tuple[str, str]) -> None:
    said = _sent(served[0], b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost:")
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in said


def test_a_head_that_grows_without_end_is_cut_off(served: tuple[str, str]) -> None:
    more = b"x" * MAX_HEAD_BYTES
    said = _sent(served[0], b"GET / HTTP/1.1\r\nHost: x\r\nA: ", more)
    assert said.startswith(b"HTTP/1.1 431 ")
    assert b"Expected a head of at most 32,768 bytes and 128 headers." in said


@pytest.mark.parametrize("path", ["/graphql", REST])
def test_a_body_that_does_not_end_is_not_waited_for(served: tuple[str, str], path: str) -> None:
    url, key = served
    head = (
        f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    said = _sent(url, head.encode())
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"LIMIT_EXCEEDED"' in said
    assert b"Expected the whole body within 0.3 seconds, but it took longer." in said


def test_a_request_that_comes_in_pieces_is_answered(served: tuple[str, str]) -> None:
    url, key = served
    whole = (
        f"POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
        'Content-Type: application/json\r\nContent-Length: 27\r\n\r\n{"query": "{ __typename }"}'
    ).encode()
    said = _sent(url, *(whole[at : at + 10] for at in range(0, len(whole), 10)))
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.endswith(b'{"data":{"__typename":"Query"}}')
