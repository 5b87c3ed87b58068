"""Requests that are ambiguous, unusual or hostile get the reply of docs/reference/connections.md."""

import socket
import struct

import pytest

from tests.gateway.server.raw import (
    ANSWER,
    HANDSHAKE,
    QUERY,
    REST,
    Server,
    drip,
    read_all,
    read_until,
    responses,
)

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
COOKIE = f"Cookie: session={'c' * 8_300}\r\n"
MANY = b"".join(b"X-%d: y\r\n" % number for number in range(129))
LONG = b"X-Long: " + b"y" * 33_000 + b"\r\n"
WS = HANDSHAKE.encode()

REFUSED = {
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "two hosts": (GET + b"Host: y\r\n\r\n", 400),
    "two hosts in 1.0": (b"GET /healthz HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    "a host that is none": (b"GET /healthz HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    "a host with a user": (b"GET /healthz HTTP/1.1\r\nHost: a@x\r\n\r\n", 400),
    "two authorizations": (GET + b"Authorization: Bearer a\r\nauthorization: Bearer b\r\n\r\n", 400),
    "two origins": (GET + b"Origin: http://a\r\nOrigin: http://b\r\n\r\n", 400),
    "two fetch sites": (GET + b"Sec-Fetch-Site: cross-site\r\nSec-Fetch-Site: same-origin\r\n\r\n", 400),
    "two content types": (POST + b"Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400),
    "the same length twice": (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400),
    "a list of lengths": (POST + b"Content-Length: 2, 2\r\n\r\n{}", 400),
    "a signed length": (POST + b"Content-Length: +2\r\n\r\n{}", 400),
    "a negative length": (POST + b"Content-Length: -2\r\n\r\n{}", 400),
    "an absurd length": (POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}", 400),
    "a length and chunks": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunks and a length": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", 400),
    "chunked twice": (POST + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n", 400),
    "chunked in 1.0": (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
    "a gzip coding": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "an unknown coding": (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    "a folded line": (GET + b"A: b\r\n c\r\n\r\n", 400),
    "a space before a colon": (GET + b"Authorization : Bearer x\r\n\r\n", 400),
    "a header without a colon": (GET + b"nothing\r\n\r\n", 400),
    "a header without a name": (GET + b": x\r\n\r\n", 400),
    "bare line feeds": (b"GET /healthz HTTP/1.1\nHost: x\n\n", 400),
    "a bare carriage return": (GET + b"A: b\rc\r\n\r\n", 400),
    "a NUL in a value": (GET + b"A: b\x00c\r\n\r\n", 400),
    "a NUL in a name": (GET + b"A\x00: b\r\n\r\n", 400),
    "a NUL in the target": (b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a target that is no URL": (b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "an unknown method": (b"BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a method in lower case": (b"get /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a tunnel": (b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", 501),
    "HTTP/0.9": (b"GET /healthz\r\n\r\n", 505),
    "HTTP/1.2": (b"GET /healthz HTTP/1.2\r\nHost: x\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "a TLS client": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500, 400),
    "too many headers": (GET + MANY + b"\r\n", 431),
    "a header that is too long": (GET + LONG + b"\r\n", 431),
    "a target that is too long": (b"GET /" + b"x" * 33_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
    "a handshake with too many headers": (WS + MANY + b"\r\n", 431),
    "a handshake with a header that is too long": (WS + LONG + b"\r\n", 431),
    "a handshake by POST": (WS.replace(b"GET", b"POST") + b"\r\n", 400),
    "a handshake by POST with a body": (WS.replace(b"GET", b"POST") + b"Content-Length: 2\r\n\r\n{}", 400),
    "a handshake with a body": (WS + b"Content-Length: 2\r\n\r\n{}", 400),
    "a handshake with chunks": (WS + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a handshake without a version": (WS.replace(b"Version: 13", b"X: 13") + b"\r\n", 400),
    "a handshake with another version": (WS.replace(b"Version: 13", b"Version: 12") + b"\r\n", 400),
    "a handshake with two keys": (WS + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", 400),
    "a handshake with a bad key": (WS.replace(b"Key: A", b"Key: ?") + b"\r\n", 400),
}


@pytest.mark.parametrize(("request_bytes", "status"), REFUSED.values(), ids=REFUSED)
def test_refuses_and_closes(server: Server, request_bytes: bytes, status: int) -> None:
    with server.refuses_one("head_too_large" if status == 431 else "bad_request"):
        [reply] = responses(server.exchange(request_bytes))
    assert reply.status == status
    assert reply.headers["connection"] == "close"
    assert reply.body.decode().startswith("Expected ")


ABSURD = [
    b"fffffffffffffffff\r\n",
    b"-1\r\n",
    b"0x5\r\n",
    b"5 \r\nhello\r\n",
    b"5\nhello\r\n",
    b"5\r\nhelloX\r\n",
]


@pytest.mark.parametrize("chunk", ABSURD)
def test_refuses_a_chunk_that_another_server_could_read_otherwise(server: Server, chunk: bytes) -> None:
    said = server.exchange(server.post("/graphql", framing="Transfer-Encoding: chunked") + chunk)
    [reply] = responses(said)
    assert (reply.status, reply.headers["connection"]) == (400, "close")


def test_answers_what_is_unusual_but_right(server: Server) -> None:
    close = b"Connection: close\r\n"
    chunks = b'5;name=value;other="x y"\r\n{"que\r\n16\r\nry": "{ __typename }"}\r\n0\r\nX: y\r\n\r\n'
    for request, status, body in [
        (b"\r\n\r\n" + GET + close + b"\r\n", 200, None),
        (b"GET http://x/healthz?a=b HTTP/1.1\r\nHost: x\r\n" + close + b"\r\n", 200, None),
        (b"GET /healthz HTTP/1.0\r\n\r\n", 200, None),
        (b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, None),
        (b"GET /healthz HTTP/1.1\r\nHost: [::1]:80\r\n" + close + b"\r\n", 200, None),
        (b"GET /healthz HTTP/1.1\r\nHost:\r\n" + close + b"\r\n", 200, None),
        (b"GET /%68ealthz HTTP/1.1\r\nHost: x\r\n" + close + b"\r\n", 200, None),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n" + close + b"\r\n", 404, None),
        (GET + close + COOKIE.encode() + b"\r\n", 200, None),
        (GET + close + b"X-Long: " + b"y" * 31_000 + b"\r\n\r\n", 200, None),
        (server.post("/graphql", "Connection: close", body=QUERY), 200, ANSWER),
        (
            server.post("/graphql", "Connection: close", framing="Transfer-Encoding: chunked") + chunks,
            200,
            ANSWER,
        ),
    ]:
        [reply] = responses(server.exchange(request))
        assert reply.status == status, request
        assert body is None or reply.body == body, request


def test_a_reply_to_head_has_no_body(server: Server) -> None:
    head = GET.replace(b"GET", b"HEAD") + b"Connection: close\r\n\r\n"
    said = server.exchange(head)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.endswith(b"\r\n\r\n")


def test_a_client_that_expects_100_is_invited_to_send_its_body(server: Server) -> None:
    with server.connect() as connection:
        framing = f"Content-Length: {len(QUERY)}"
        connection.sendall(
            server.post("/graphql", "Expect: 100-continue", "Connection: close", framing=framing)
        )
        assert read_until(connection, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(QUERY)
        [reply] = responses(read_all(connection))
        assert (reply.status, reply.body) == (200, ANSWER)


def test_a_client_that_expects_100_but_is_refused_is_not_invited(server: Server) -> None:
    [reply] = responses(server.exchange(POST + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"))
    assert reply.status == 401


UPGRADES = ["Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk", "Upgrade: TLS/1.0", "Upgrade: h2c, websocket"]


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("in_parts", [False, True])
def test_an_upgrade_that_is_not_taken_changes_nothing(
    server: Server, upgrade: str, *, in_parts: bool
) -> None:
    header = f"Connection: Upgrade, HTTP2-Settings\r\n{upgrade}"
    chunked = b"%x\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(QUERY), QUERY)
    requests = [
        server.post("/graphql", header, body=QUERY),
        server.post("/graphql", header, framing="Transfer-Encoding: chunked") + chunked,
        server.post(REST, header, body=b'{"instanceIds": []}'),
        GET + header.encode() + b"\r\n\r\n",
        server.post("/graphql", header, framing="Content-Length: 00"),
        server.post("/graphql", body=QUERY),
        server.post("/graphql", header, "Connection: close", body=QUERY),
    ]
    if in_parts:
        found = []
        with server.connect() as connection:
            for request in requests:
                for part in (request[:40], request[40:-3], request[-3:]):
                    connection.sendall(part)
                reply = read_until(connection, b"\r\n\r\n")
                found += responses(reply + read_rest(connection, reply))
    else:
        found = responses(server.exchange(*requests))
    assert [reply.status for reply in found] == [200, 200, 400, 200, 400, 200, 200]
    assert [found[number].body for number in (0, 1, 5, 6)] == [ANSWER] * 4
    assert b"instanceIds" in found[2].body


def read_rest(connection: socket.socket, reply: bytes) -> bytes:
    """The rest of the body of a reply, whose head and perhaps more has been read."""
    head, _, body = reply.partition(b"\r\n\r\n")
    [empty] = responses(head + b"\r\n\r\n")
    missing, rest = int(empty.headers["content-length"]) - len(body), b""
    while len(rest) < missing:
        rest += connection.recv(missing - len(rest))
    return rest


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    last = server.post("/graphql", "Connection: close", body=QUERY)
    said = server.exchange(GET + b"\r\n" + server.post(REST, body=b"{}") + GET + b"\r\n" + last)
    assert [reply.status for reply in responses(said)] == [200, 400, 200, 200]


def test_a_client_that_pipelines_without_end_is_answered_in_part(server: Server) -> None:
    found = responses(server.exchange((GET + b"\r\n") * 400))
    assert 1 < len(found) < 400
    assert {reply.status for reply in found} == {200}
    assert [reply.headers.get("connection") for reply in found] == [None] * (len(found) - 1) + ["close"]


def test_a_bad_request_after_a_good_one_does_not_take_its_reply(server: Server) -> None:
    found = responses(server.exchange(server.post("/graphql", body=QUERY) + b"BAD\r\n\r\n"))
    assert [reply.status for reply in found] == [200, 400]
    assert found[0].body == ANSWER


def test_a_handshake_must_wait_for_the_reply_before_it(server: Server) -> None:
    found = responses(server.exchange(GET + b"\r\n" + WS + b"\r\n"))
    assert [reply.status for reply in found] == [200, 400]


def test_a_key_in_a_trailer_is_no_key(server: Server) -> None:
    chunks = b"%x\r\n%s\r\n0\r\nAuthorization: Bearer %s\r\n\r\n" % (len(QUERY), QUERY, server.key.encode())
    head = POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n"
    for more in (b"", b"Authorization: Bearer uplift_wrong\r\n"):
        assert responses(server.exchange(head + more + b"\r\n" + chunks))[0].status == 401


def test_a_trailer_does_not_change_where_a_request_comes_from(server: Server) -> None:
    head = server.post(
        "/graphql", "Origin: https://evil.example", "Connection: close", framing="Transfer-Encoding: chunked"
    )
    chunks = b"%x\r\n%s\r\n0\r\nSec-Fetch-Site: same-origin\r\n\r\n" % (len(QUERY), QUERY)
    assert responses(server.exchange(head + chunks))[0].status == 403


@pytest.mark.parametrize("trailer", [b"a: b\r\n" * 20_000, b"a: " + b"b" * 120_000, b"0" * 0])
def test_trailers_are_bounded(server: Server, trailer: bytes) -> None:
    head = server.post("/graphql", "Connection: close", framing="Transfer-Encoding: chunked")
    body = b"%x\r\n%s\r\n0\r\n" % (len(QUERY), QUERY)
    [reply] = responses(server.exchange(head + body + trailer + b"\r\n"))
    assert reply.status == (400 if trailer else 200)


def test_a_chunk_extension_is_bounded(server: Server) -> None:
    head = server.post("/graphql", framing="Transfer-Encoding: chunked")
    with server.refuses_one("body_framing"):
        [reply] = responses(server.exchange(head + b"5;" + b"x" * 120_000 + b"\r\n"))
    assert (reply.status, reply.headers["connection"]) == (400, "close")


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("path", [b"/graphql", REST.encode(), b"/nowhere"])
def test_a_request_refused_before_its_body_is_closed(server: Server, framing: bytes, path: bytes) -> None:
    head = POST.replace(b"/graphql", path) + framing + b"\r\n\r\n"
    [reply] = responses(server.exchange(head))
    assert reply.status in (401, 404)
    with server.connect() as connection:
        connection.sendall(head + b"5\r\nhello\r\n")
        said = drip(connection, b"5\r\nhello\r\n")
    assert responses(said)[0].status in (401, 404)


def test_a_reset_in_the_middle_of_a_request_harms_nobody(server: Server) -> None:
    whole = server.post("/graphql", body=QUERY)
    for size in (1, 40, len(whole) - 5, len(whole)):
        with server.connect() as connection:
            connection.sendall(whole[:size])
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    server.must_be_well()


def test_a_client_that_closes_its_half_counts_as_gone(server: Server) -> None:
    for part in (b"", b"GET /heal", GET, POST + b"Content-Length: 100\r\n\r\n{"):
        with server.connect() as connection:
            connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            assert {reply.status for reply in responses(read_all(connection))} <= {401}
    server.must_be_well()
