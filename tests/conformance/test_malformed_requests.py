"""Malformed requests get no server error, and the server stays ready."""

import json
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.documents import ANY_CHARACTER
from tests.conformance.real_gateway import Gateway
from tests.rest_compat.support.rest_document import DOCUMENT, must_match
from tests.rest_compat.support.rest_world import ORDERS, path_of

REST = path_of(ORDERS)
STATUS = "/pub/v1/bpm/upgrades/0a000000-0000-4000-8000-000000000001"
GRAPHQL = "/graphql"
on_both = pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])

SHORT, LONG = 60, 2_000

DEEP = 100_000
ODD_VALUES = {
    "a lone surrogate": rb'"\ud800"',
    "surrogates in the wrong order": rb'"\udc00\ud800"',
    "NUL": rb'"\u0000"',
    "a control character as it is": b'"\x00\x1f"',
    "bytes that are no UTF-8": b'"\xff\xfe\xc0\x80"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "an escape that is none": rb'"\x41"',
    "a string without end": b'"' + b"a" * 1_000,
    "a very long string": b'"' + b"a" * 1_000_000 + b'"',
    "a number beyond floats": b"1e999",
    "a number of many digits": b"9" * 10_000,
    "a number just beyond 64 bits": b"18446744073709551616",
    "the smallest number": b"-1e-999",
    "a number with a leading zero": b"007",
    "NaN": b"NaN",
    "infinity": b"-Infinity",
    "deep lists": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "lists without end": b"[" * DEEP,
    "an object with a name twice": b'{"a": 1, "a": 2}',
    "an object with an empty name": b'{"": null}',
    "a name with a lone surrogate": rb'{"\ud800": 1}',
    "many values": b"[" + b"1," * 100_000 + b"1]",
    "nothing": b"",
}
BODIES: dict[str, Callable[[bytes], bytes]] = {
    "the body": lambda value: value,
    "instanceIds": lambda value: b'{"instanceIds": ' + value + b"}",
    "an id": lambda value: b'{"instanceIds": [' + value + b"]}",
    "updateAllActive": lambda value: b'{"updateAllActive": ' + value + b"}",
    "another property": lambda value: b'{"updateAllActve": ' + value + b"}",
    "query": lambda value: b'{"query": ' + value + b"}",
    "variables": lambda value: b'{"query": "{__typename}", "variables": ' + value + b"}",
    "a variable": lambda value: (
        b'{"query": "query($id: UUID!) {instance(id: $id) {id}}", "variables": {"id": ' + value + b"}}"
    ),
    "a text": lambda value: (
        b'{"query": "query($n: String!) {process(namespace: $n, code: $n) {code}}", "variables": {"n": '
        + value
        + b"}}"
    ),
    "a number": lambda value: (
        b'{"query": "query($n: Int!) {processes(first: $n) {nodes {code}}}", "variables": {"n": '
        + value
        + b"}}"
    ),
    "operationName": lambda value: b'{"query": "{__typename}", "operationName": ' + value + b"}",
    "extensions": lambda value: b'{"query": "{__typename}", "extensions": ' + value + b"}",
    "a batch": lambda value: b'[{"query": ' + value + b"}]",
    "twice the same": lambda value: b'{"query": "{__typename}", "query": ' + value + b"}",
}

HEAD = b"GET /graphql HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
NAMED = b"POST /pub/v1/bpm/instance/bytemplate/crm/%b/version HTTP/1.1\r\nHost: x\r\n\r\n"
SOCKET = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n"
)
SOCKET_KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
ODD_REQUESTS = {
    "zeros": b"\0" * 1_000,
    "half a request line": b"GET /gra",
    "no version": b"GET /graphql\r\n\r\n",
    "another version": b"GET /graphql HTTP/9.9\r\nHost: x\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "an unknown method": b"FROB /graphql HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method that is no token": b"G\x01T /graphql HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a whole URL": b"GET http://y/graphql?query=%7B__typename%7D HTTP/1.1\r\nHost: x\r\n\r\n",
    "an empty path": b"GET  HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in the path": b"GET /graphql%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "no UTF-8 in the path": b"GET /pub/v1/bpm/upgrades/%ff%fe HTTP/1.1\r\nHost: x\r\n\r\n",
    "raw bytes in the path": b"GET /pub/v1/bpm/upgrades/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in a name": NAMED % b"a%00b",
    "a surrogate in a name": NAMED % b"%ed%a0%80",
    "a long name": NAMED % (b"a" * 50_000),
    "a broken escape": b"GET /pub/v1/bpm/upgrades/%zz%4 HTTP/1.1\r\nHost: x\r\n\r\n",
    "dots in the path": b"GET /graphql/static/../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "encoded dots": b"GET /graphql/static/%2e%2e%2f%2e%2e%2fsettings.py HTTP/1.1\r\nHost: x\r\n\r\n",
    "NUL in a static path": b"GET /graphql/static/%00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long static path": b"GET /graphql/static/" + b"a" * 5_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long path": b"GET /" + b"a" * 60_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a broken query string": b"GET /graphql?query=%ff&variables=%7b%00&=&&& HTTP/1.1\r\nHost: x\r\n\r\n",
    "raw bytes in the query string": b"GET /graphql?query=\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "no host": b"GET /graphql HTTP/1.1\r\n\r\n",
    "two hosts": HEAD + b"Host: y\r\n\r\n",
    "a host that is none": b"GET /graphql HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "a header without colon": HEAD + b"Nonsense\r\n\r\n",
    "a header without name": HEAD + b": x\r\n\r\n",
    "NUL in a header": HEAD + b"X: \0\r\n\r\n",
    "a folded header": HEAD + b"X: a\r\n b\r\n\r\n",
    "a long header": HEAD + b"X: " + b"a" * 200_000 + b"\r\n\r\n",
    "many headers": HEAD + b"".join(b"X%d: y\r\n" % number for number in range(5_000)) + b"\r\n",
    "a length that is none": POST + b"Content-Length: five\r\n\r\n{}",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n{}",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "a length with an underscore": POST + b"Content-Length: 1_0\r\n\r\n{}",
    "a huge length": POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunks": POST
    + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks that are none": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "a huge chunk": POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
    "an unknown coding": POST + b"Transfer-Encoding: gzip\r\n\r\n{}",
    "half a body": POST + b"Content-Length: 100\r\n\r\n{",
    "no body": POST + b"\r\n",
    "bare line feeds": b"GET /graphql HTTP/1.1\nHost: x\n\n",
    "expecting nonsense": POST + b"Expect: nonsense\r\nContent-Length: 2\r\n\r\n{}",
    "an unknown upgrade": HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
    "a socket of no version": HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "a socket without key": HEAD + SOCKET + b"\r\n",
    "a socket with a key that is none": HEAD + SOCKET + b"Sec-WebSocket-Key: x\r\n\r\n",
    "a socket elsewhere": b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n" + SOCKET + SOCKET_KEY + b"\r\n",
    "nonsense on a socket": HEAD + SOCKET + SOCKET_KEY + b"\r\n" + b"\xff" * 100,
    "one request in another": POST + b"Content-Length: 0\r\n\r\nGET /graphql HTTP/1.1\r\nHost: x\r\n\r\n",
}
HEADERS = [
    "Accept",
    "Authorization",
    "Connection",
    "Content-Encoding",
    "Content-Type",
    "Cookie",
    "Expect",
    "Forwarded",
    "Idempotency-Key",
    "If-None-Match",
    "Origin",
    "Prefer",
    "Range",
    "Sec-Fetch-Site",
    "Upgrade",
    "X-Forwarded-For",
    "X-Request-Id",
]


def send(gateway: Gateway, request: bytes, *, silence: float = 30) -> list[tuple[int, bytes]]:
    """Send bytes; returns the status and body of each reply until the server closes or stays silent.

    Seconds of silence are the end where a server may rightly wait for more.
    """
    where = urlsplit(gateway.url)
    received = bytearray()
    with (
        socket.create_connection((where.hostname, where.port), timeout=30) as connection,
        suppress(
            BrokenPipeError, ConnectionResetError
        ),  # the server answered or closed before it had read everything
        suppress(TimeoutError),
    ):
        connection.sendall(request)
        connection.settimeout(silence)
        while part := connection.recv(65_536):
            received += part
    replies = re.split(rb"(?=HTTP/1\.1 \d{3} )", bytes(received))[1:]
    return [(int(reply[9:12]), reply.partition(b"\r\n\r\n")[2]) for reply in replies]


def request_of(method: str, path: str, headers: dict[str, bytes], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: x", b"Connection: close"]
    lines += [name.encode() + b": " + value for name, value in headers.items()]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(body), b"", body])


def must_be_refused_or_answered(replies: list[tuple[int, bytes]]) -> None:
    for status, _ in replies:
        # RFC 9112 has these for a coding, a method or a version that the server does not know.
        assert status < 500 or status in (501, 505)


@pytest.mark.parametrize("request_bytes", ODD_REQUESTS.values(), ids=ODD_REQUESTS)
def test_an_odd_request_is_no_error_of_the_server(request_bytes: bytes, gateway: Gateway) -> None:
    key = b"Host: x\r\nAuthorization: Bearer " + gateway.admin_key.encode() + b"\r\n"
    with_key = request_bytes.replace(b"Host: x\r\n", key, 1)
    must_be_refused_or_answered(send(gateway, with_key, silence=0.2))


@on_both
@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=ODD_VALUES)
@pytest.mark.parametrize("path", [REST, GRAPHQL], ids=["REST", "GraphQL"])
def test_an_odd_body_is_refused_or_answered(path: str, value: bytes, gateway: Gateway) -> None:
    headers = {
        "Authorization": f"Bearer {gateway.admin_key}".encode(),
        "Content-Type": b"application/json",
        "Accept": b"application/json",
    }
    for body in BODIES.values():
        [(status, reply)] = send(gateway, request_of("POST", path, headers, body(value)))
        if path == REST:
            assert status == 400
            must_match(json.loads(reply), DOCUMENT["components"]["schemas"]["Error"])
        else:
            assert status in (200, 400, 413)
            must_be_graphql(json.loads(reply))


def must_be_graphql(reply: Any) -> None:
    assert {error["extensions"]["code"] for error in reply.get("errors", ())}.isdisjoint({"INTERNAL"})
    assert "data" in reply or reply["errors"]


@on_both
@pytest.mark.parametrize("path", [REST, STATUS, GRAPHQL, "/openapi.json", "/readyz"])
def test_odd_headers_are_no_error_of_the_server(path: str, gateway: Gateway, is_long: bool) -> None:
    value = st.binary(max_size=30).map(lambda sent: re.sub(rb"[\r\n\0]", b"", sent))
    named = st.sampled_from(HEADERS) | st.text("abcXYZ-_", min_size=1, max_size=10)

    @settings(max_examples=LONG if is_long else SHORT)
    @given(
        st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PUT"]),
        st.dictionaries(named, value, max_size=4),
        st.booleans(),
    )
    def holds(method: str, odd: dict[str, bytes], has_key: bool) -> None:
        key = {"Authorization": f"Bearer {gateway.admin_key}".encode()} if has_key else {}
        headers = {"Content-Type": b"application/json", **odd, **key}
        must_be_refused_or_answered(send(gateway, request_of(method, path, headers, b"{}")))

    holds()


@on_both
def test_any_bytes_are_no_error_of_the_server(gateway: Gateway, is_long: bool) -> None:
    line = st.sampled_from([b"", b"GET /graphql HTTP/1.1\r\n", HEAD, POST])

    @settings(max_examples=LONG if is_long else SHORT)
    @given(
        line,
        st.binary(max_size=200)
        | st.text(ANY_CHARACTER).map(lambda text: text.encode("utf-8", "surrogatepass")),
    )
    def holds(begin: bytes, rest: bytes) -> None:
        must_be_refused_or_answered(send(gateway, begin + rest, silence=0.05))

    holds()
