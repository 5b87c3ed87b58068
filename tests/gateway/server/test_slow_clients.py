"""A client that is slow or silent loses its connection, whatever it sends; others are served."""

import json
import threading
import time

from tests.gateway.server.raw import HANDSHAKE, QUERY, Server, drip, frame, read_all, responses, until
from tests.gateway.server.test_websockets_on_the_wire import authenticated, subscribe

GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
UNREAD = b"POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"
INTROSPECTION = (
    "{"
    + " ".join(
        f"a{n}: __schema {{ types {{ name description fields {{ name description }} }} }}" for n in range(15)
    )
    + "}"
)

LEFT = {
    "nothing": b"",
    "an empty line": b"\r\n",
    "half a line": b"GET /healthz HT",
    "half a head": GET[:-2],
    "a whole request": GET,
    "a whole request and an empty line": GET + b"\r\n",
    "a whole request and a carriage return": GET + b"\r",
    "a whole request and a byte": GET + b"G",
    "two requests and half of one": GET + GET + GET[:-2],
    "a refused request without its body": UNREAD,
    "a refused request and a byte of its body": UNREAD + b"x",
    "a refused request with its body and a byte": UNREAD + b"x" * 11,
    "an upgrade that is not taken": GET[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    "half a handshake": HANDSHAKE.encode(),
    "a bad request": b"GET / HTTP/1.1\r\n\r\n",
}


def drips(server: Server) -> dict[str, tuple[bytes, bytes]]:
    """What a client sends at first, and what it then sends again and again."""
    chunked = server.post("/graphql", framing="Transfer-Encoding: chunked")
    return {
        "a head": (b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"b"),
        "headers": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"A: b\r\n"),
        "a handshake": (HANDSHAKE.encode(), b"A: b\r\n"),
        "empty lines": (b"", b"\r\n"),
        "empty lines after a request": (GET, b"\r\n"),
        "a body": (server.post("/graphql", framing="Content-Length: 1000"), b" "),
        "chunks": (chunked, b"1\r\n \r\n"),
        "a chunk extension": (chunked + b"5;", b"x"),
        "trailers": (chunked + b"%x\r\n%s\r\n0\r\n" % (len(QUERY), QUERY), b"A: b\r\n"),
    }


def test_no_connection_stays_open_when_no_request_is_answered(server: Server) -> None:
    said: dict[str, bytes] = {}

    def keep_open(name: str, begin: bytes, part: bytes) -> None:
        with server.connect() as connection:
            connection.sendall(begin)
            said[name] = drip(connection, part, every=0.05)

    silent = {name: server.connect() for name in LEFT}
    for name, connection in silent.items():
        connection.sendall(LEFT[name])
    dripping = drips(server)
    threads = [threading.Thread(target=keep_open, args=(name, *parts)) for name, parts in dripping.items()]
    for thread in threads:
        thread.start()
    left = {name: read_all(connection) for name, connection in silent.items()}
    for thread in threads:
        thread.join()
    for connection in silent.values():
        connection.close()
    assert {name for name in LEFT if b" 408 " in left[name]} == {
        "half a line",
        "half a head",
        "a whole request and a byte",
        "two requests and half of one",
        "half a handshake",
    }
    slow = {name for name in dripping if b" 408 " in said[name]}
    assert slow == dripping.keys() - {"empty lines", "empty lines after a request"}


def test_a_client_that_does_not_read_is_cut_off(server: Server) -> None:
    """By HTTP, in an event stream and by WebSocket."""
    body = json.dumps({"query": INTROSPECTION}).encode()
    before, log = server.refusals("slow_reader"), len(server.program.errors)
    replies = server.connect(receive_buffer=4_096)
    replies.sendall(server.post("/graphql", body=body) * 8)
    events = server.connect(receive_buffer=4_096)
    events.sendall(server.post("/graphql", "Accept: text/event-stream", body=body) * 8)
    messages = authenticated(server)
    for number in range(12):
        messages.sendall(frame(subscribe(INTROSPECTION, str(number))))
    until(lambda: server.refusals("slow_reader") == before + 3)
    assert '"reason": "slow_reader"' in server.program.errors[log:]
    for connection in (replies, events, messages):
        read_all(connection)  # what the kernel has, up to the end
        connection.close()
    server.must_be_well()


def test_a_client_that_reads_slowly_but_in_time_gets_all(server: Server) -> None:
    body = json.dumps({"query": INTROSPECTION}).encode()
    with server.connect(receive_buffer=65_536) as connection:
        connection.sendall(server.post("/graphql", "Connection: close", body=body))
        said = b""
        while some := connection.recv(20_000):
            said += some
            time.sleep(0.005)
    [reply] = responses(said)
    assert reply.status == 200
    assert len(reply.body) == int(reply.headers["content-length"]) > 500_000
