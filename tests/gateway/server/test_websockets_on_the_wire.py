"""WebSockets that are unusual or hostile are closed with the code of docs/reference/connections.md."""

import json
import socket
import struct

import pytest

from tests.gateway.server.raw import (
    HANDSHAKE,
    Server,
    close_code,
    drip,
    frame,
    read_to_close,
    read_until,
    responses,
)

PING, PONG, CLOSE, CONTINUATION = 9, 10, 8, 0
TWO_MORE = 2 * 16 * 1024


def opened(server: Server, *headers: str, source: str = "") -> socket.socket:
    """A WebSocket before `connection_init`."""
    connection = server.connect(source=source)
    connection.sendall((HANDSHAKE + "".join(f"{header}\r\n" for header in headers) + "\r\n").encode())
    assert read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    return connection


def init(server: Server) -> bytes:
    return json.dumps(
        {"type": "connection_init", "payload": {"Authorization": f"Bearer {server.key}"}}
    ).encode()


def authenticated(server: Server) -> socket.socket:
    """A WebSocket whose caller is known."""
    connection = opened(server)
    connection.sendall(frame(init(server)))
    read_until(connection, b'{"type":"connection_ack"}')
    return connection


def subscribe(query: str, operation_id: str = "1") -> bytes:
    return json.dumps({"type": "subscribe", "id": operation_id, "payload": {"query": query}}).encode()


def test_compression_is_not_offered_and_not_accepted(server: Server) -> None:
    with server.connect() as connection:
        extension = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        connection.sendall((HANDSHAKE + extension).encode())
        head = read_until(connection, b"\r\n\r\n").lower()
        assert head.startswith(b"http/1.1 101 ")
        assert b"sec-websocket-extensions" not in head
        connection.sendall(frame(b"\xaa\x56\x4a\x54\xb2\x52\x50\x02", rsv1=True))
        assert close_code(read_to_close(connection)) == 1002


def test_a_handshake_with_a_large_cookie_is_accepted(server: Server) -> None:
    opened(server, f"Cookie: session={'c' * 8_300}", *(f"X-{n}: y" for n in range(100))).close()


BEFORE_INIT = {
    "one message": frame(b"x" * TWO_MORE),
    "a part of a message": frame(b"x" * TWO_MORE * 10)[:TWO_MORE],
    "fragments": frame(b"x", fin=False) + frame(b"y", opcode=CONTINUATION, fin=False) * 5_000,
}


@pytest.mark.parametrize("data", BEFORE_INIT.values(), ids=BEFORE_INIT)
def test_little_is_accepted_from_an_unknown_caller(server: Server, data: bytes) -> None:
    with server.refuses_one("socket_bytes"), opened(server) as connection:
        connection.sendall(data)
        assert close_code(read_to_close(connection)) == 1009


@pytest.mark.parametrize("opcode", [PING, PONG])
def test_a_flood_of_control_frames_is_closed(server: Server, opcode: int) -> None:
    for connection in (opened(server), authenticated(server)):
        with server.refuses_one("socket_flood"), connection:
            connection.sendall(frame(b"", opcode=opcode) * 500)
            assert close_code(read_to_close(connection)) == 1008


def test_a_flood_of_empty_fragments_is_closed(server: Server) -> None:
    with server.refuses_one("socket_flood"), authenticated(server) as connection:
        connection.sendall(frame(b"", fin=False) + frame(b"", opcode=CONTINUATION, fin=False) * 500)
        assert close_code(read_to_close(connection)) == 1008


@pytest.mark.parametrize(
    "message", [b'{"type":"ping"}', b'{"type":"pong"}', b'{"type":"complete","id":"unknown"}']
)
def test_a_flood_of_messages_without_an_operation_is_closed(server: Server, message: bytes) -> None:
    with authenticated(server) as connection:
        assert close_code(drip(connection, frame(message) * 500)) == 1008
    server.must_be_well()


def test_a_closed_websocket_is_cut_off_whatever_its_client_sends(server: Server) -> None:
    with authenticated(server) as connection:
        connection.sendall(frame(init(server)))
        assert close_code(read_to_close(connection)) == 4429
        drip(connection, frame(subscribe("{ __typename }")) + frame(b"", opcode=PING))


def test_a_message_that_does_not_end_is_closed(server: Server) -> None:
    with server.refuses_one("socket_silent"), authenticated(server) as connection:
        connection.sendall(frame(b"x", fin=False))
        said = drip(connection, frame(b"y", opcode=CONTINUATION, fin=False))
        assert close_code(said) == 1008


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(b"{}", masked=False), 1002),
        (frame(b"x", opcode=3), 1002),
        (frame(b"x", opcode=CONTINUATION), 1002),
        (frame(b"x", fin=False) + frame(b"y"), 1002),
        (frame(b"x" * 126, opcode=PING), 1002),
        (frame(b"", opcode=PING, fin=False), 1002),
        (frame(b"\xff\xfe"), 1007),
        (frame(b"\xed\xa0\x80"), 1007),
        (frame(b"\x00\x01", opcode=2), 4400),
        (frame(b"not json"), 4400),
        (frame(struct.pack("!H", 1000), opcode=CLOSE), 1000),
        (frame(struct.pack("!H", 999), opcode=CLOSE), 1002),
        (frame(b"\x03", opcode=CLOSE), 1002),
    ],
)
def test_a_frame_that_is_not_allowed_is_answered_with_a_code(server: Server, data: bytes, code: int) -> None:
    for connection in (opened(server), authenticated(server)):
        with connection:
            connection.sendall(data)
            assert close_code(read_to_close(connection)) == code


def test_a_message_above_the_limit_is_closed_before_it_is_whole(server: Server) -> None:
    with authenticated(server) as connection:
        connection.sendall(frame(b"x" * (8 * 1024 * 1024 + 1))[:20])
        assert close_code(read_to_close(connection)) == 1009


def test_a_message_in_fragments_with_pings_between_is_read(server: Server) -> None:
    text = subscribe("{ __typename }" + " " * 400_000)
    parts = [text[at : at + 50_000] for at in range(0, len(text), 50_000)]
    with authenticated(server) as connection:
        connection.sendall(frame(parts[0], fin=False))
        for part in parts[1:-1]:
            connection.sendall(
                frame(b"still here", opcode=PING) + frame(part, opcode=CONTINUATION, fin=False)
            )
        connection.sendall(frame(parts[-1], opcode=CONTINUATION))
        said = read_until(connection, b'"type":"complete"}')
        assert said.count(b"\x8a\x0astill here") == len(parts) - 2
        assert b'{"data":{"__typename":"Query"}' in said


def test_init_in_the_same_packet_as_the_handshake_is_read(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(f"{HANDSHAKE}\r\n".encode() + frame(init(server)))
        read_until(connection, b'{"type":"connection_ack"}')


def test_many_messages_in_one_packet_are_read(server: Server) -> None:
    with authenticated(server) as connection:
        connection.sendall(b"".join(frame(subscribe("{ __typename }", str(number))) for number in range(15)))
        said = b""
        while said.count(b'"type":"complete"') < 15:
            some = connection.recv(65_536)
            assert some, said
            said += some


def test_a_client_that_leaves_without_closing_frees_its_place(server: Server) -> None:
    before = server.sample("uplift_open_streams", kind="websocket")
    left = [opened(server), authenticated(server)]
    server.until_sample("uplift_open_streams", before + 2, kind="websocket")
    left[0].close()
    left[1].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    left[1].close()
    server.until_sample("uplift_open_streams", before, kind="websocket")


def test_a_denied_handshake_is_closed(server: Server) -> None:
    denied = HANDSHAKE + "Origin: https://evil.example\r\n\r\n"
    [reply] = responses(server.exchange(denied.encode()))
    assert (reply.status, reply.headers["connection"]) == (403, "close")
    assert b"FORBIDDEN_ORIGIN" in reply.body
    elsewhere = HANDSHAKE.replace("/graphql", "/nowhere") + "\r\n"
    [reply] = responses(server.exchange(elsewhere.encode()))
    assert (reply.status, reply.headers["connection"]) == (403, "close")
