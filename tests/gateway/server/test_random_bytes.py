"""Whatever bytes arrive, in whatever pieces: no error is logged, and every connection ends."""

import random
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

from tests.gateway.server.raw import HANDSHAKE, QUERY, REST, Server, frame
from tests.gateway.server.test_websockets_on_the_wire import init, subscribe
from tests.support.long_mode import IS_LONG

CASES = 40_000 if IS_LONG else 300
H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c"
CHUNKED = "Transfer-Encoding: chunked"
CHUNKS = b"%x\r\n%s\r\n0\r\nX: y\r\n\r\n" % (len(QUERY), QUERY)
PIECES = [
    *(b"\r\n", b"\n", b"\0", b":", b" ", b"\xff", b"*", b"//", b"%00%ff", b"http://[::1", b"0\r\n\r\n"),
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
    b"Upgrade: h2c\r\nConnection: upgrade\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 3\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
]


def mutated(chance: random.Random, requests: list[bytes]) -> bytes:
    """Some requests after another, with a few bytes changed."""
    data = bytearray(b"".join(chance.choices(requests, k=chance.choice([1, 1, 2, 3, 12]))))
    for _ in range(chance.choice([0, 1, 1, 2, 5])):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(3):
            case 0:
                data[at:at] = chance.choice(PIECES)
            case 1:
                data[at : at + 1] = chance.randbytes(1)
            case _:
                del data[at : at + chance.randrange(1, 20)]
    return bytes(data)


def pieces_of(chance: random.Random, data: bytes) -> Iterator[bytes]:
    """The data in pieces; now and then it breaks off."""
    at = 0
    while at < len(data) and chance.random() > 0.02:
        size = chance.choice([1, 7, 100, len(data)])
        yield data[at : at + size]
        at += size


def send(chance: random.Random, connection: socket.socket, data: bytes) -> None:
    connection.settimeout(0.01)
    for piece in pieces_of(chance, data):
        connection.sendall(piece)
    if chance.random() < 0.3:
        connection.shutdown(socket.SHUT_WR)
    if chance.random() < 0.5:
        connection.recv(65_536)
    if chance.random() < 0.2:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_random_bytes_do_no_harm(server: Server) -> None:
    chance = random.Random(CASES)
    handshake = HANDSHAKE.encode() + b"\r\n" + frame(init(server)) + frame(subscribe("{ __typename }"))
    requests = [
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HEAD / HTTP/1.0\r\n\r\n",
        server.post("/graphql", body=QUERY),
        server.post("/graphql", H2C, body=QUERY),
        server.post("/graphql", framing=CHUNKED) + CHUNKS,
        server.post("/graphql", H2C, framing=CHUNKED) + CHUNKS,
        server.post(REST, "Expect: 100-continue", body=b'{"instanceIds": []}'),
        handshake + frame(b"", opcode=9) + frame(b"\x03\xe8", opcode=8),
    ]
    for _ in range(CASES):
        with server.connect() as connection, suppress(OSError):
            send(chance, connection, mutated(chance, requests))
    server.until_sample("uplift_client_connections", 0)
    server.until_sample("uplift_open_streams", 0, kind="websocket")
    server.must_be_well()
    assert server.sample("uplift_log_lines_total", level="error") == 0
