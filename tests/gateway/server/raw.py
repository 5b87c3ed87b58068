"""Bytes on a socket: what HTTP and WebSocket clients never send on purpose."""

import base64
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.gateway.gateway_world import Program

TIMEOUT = 60
REST = "/pub/v1/bpm/instance/bytemplate/crm/orders/version"
QUERY = b'{"query": "{ __typename }"}'
CLOSE_FRAME = re.compile(rb"\x88[\x02-\x7d](..)[^\x88]*$", re.DOTALL)
ANSWER = b'{"data":{"__typename":"Query"}}'


@dataclass(frozen=True, slots=True)
class Response:
    """One response of those that a connection got."""

    status: int
    headers: dict[str, str]
    body: bytes


class Server:
    """A running server."""

    def __init__(self, program: Program, key: str) -> None:
        self.program = program
        self.key = key
        self.url = program.url()
        self.metrics_url = program.wait_for(r"(http://\S+/metrics)")

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    def connect(self, *, source: str = "", receive_buffer: int | None = None) -> socket.socket:
        """A new connection, from a source address if one is given."""
        connection = socket.socket()
        connection.settimeout(TIMEOUT)
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            connection.bind((source, 0))
        connection.connect(self.address)
        return connection

    def exchange(self, *parts: bytes) -> bytes:
        """All that the server sends, until it closes the connection on which these parts were sent."""
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
            return read_all(connection)

    def post(self, path: str, *headers: str, body: bytes = b"", framing: str | None = None) -> bytes:
        """A POST with the key and these headers."""
        lines = [
            f"POST {path} HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {self.key}",
            "Content-Type: application/json",
            framing or f"Content-Length: {len(body)}",
            *headers,
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def sample(self, name: str, **labels: str) -> float:
        """The value of a sample of the metrics."""
        shown = ",".join(f'{label}="{value}"' for label, value in labels.items())
        whole = re.escape(f"{name}{{{shown}}}" if shown else name)
        found = re.search(
            rf"^{whole} (\S+)$", httpx2.get(self.metrics_url, timeout=TIMEOUT).text, re.MULTILINE
        )
        assert found is not None
        return float(found[1])

    def until_sample(self, name: str, value: float, **labels: str) -> None:
        """Wait until a sample has this value."""
        until(lambda: self.sample(name, **labels) == value)

    def refusals(self, reason: str) -> float:
        """How many connections were refused for this reason."""
        return self.sample("uplift_connections_refused_total", reason=reason)

    def memory(self) -> float:
        """The resident memory of the program, in MiB."""
        status = Path(f"/proc/{self.program.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1_024

    def must_be_well(self) -> None:
        assert httpx2.get(f"{self.url}/healthz", timeout=TIMEOUT).status_code == 200

    def must_be_well_at_metrics(self) -> None:
        """The server handles what it has read: the metrics port answers after that."""
        for _ in range(3):
            assert httpx2.get(self.metrics_url, timeout=TIMEOUT).status_code == 200

    @contextmanager
    def refuses_one(self, reason: str) -> Iterator[None]:
        """Within the block at least one connection is refused for this reason."""
        before = self.refusals(reason)
        yield
        assert self.refusals(reason) > before


def read_all(connection: socket.socket) -> bytes:
    """All bytes until the server closes; what came before a reset counts."""
    said = b""
    try:
        while some := connection.recv(65_536):
            said += some
    except ConnectionResetError:
        pass
    return said


def read_to_close(connection: socket.socket) -> bytes:
    """The bytes up to a close frame of a WebSocket. Its client does not answer it."""
    said = b""
    while not CLOSE_FRAME.search(said):
        some = connection.recv(65_536)
        assert some, said
        said += some
    return said


def read_until(connection: socket.socket, end: bytes) -> bytes:
    """The bytes up to this end."""
    said = b""
    while end not in said:
        some = connection.recv(65_536)
        assert some, said
        said += some
    return said


def responses(said: bytes) -> list[Response]:
    """The responses in these bytes. All have a content length."""
    found = []
    while said:
        head, _, rest = said.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = int(headers.get("content-length", 0))
        found.append(Response(int(status.split()[1]), headers, rest[:size]))
        said = rest[size:]
    return found


def drip(connection: socket.socket, part: bytes, *, every: float = 0.1) -> bytes:
    """Send this part again and again until the server closes; returns what it said."""
    deadline = time.monotonic() + TIMEOUT
    said = b""
    connection.settimeout(every)
    while time.monotonic() < deadline:
        try:
            connection.sendall(part)
            some = connection.recv(65_536)
        except TimeoutError:
            continue
        except OSError:
            return said
        if not some:
            return said
        said += some
    raise AssertionError("the server never closed the connection")


def until(holds: Callable[[], bool]) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


HANDSHAKE = (
    "GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
    + base64.b64encode(bytes(16)).decode()
    + "\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n"
)


def frame(
    payload: bytes, *, opcode: int = 1, fin: bool = True, rsv1: bool = False, masked: bool = True
) -> bytes:
    """One WebSocket frame of a client."""
    first = opcode | (0x80 if fin else 0) | (0x40 if rsv1 else 0)
    mask_bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head = bytes([first, mask_bit | size])
    elif size < 65_536:
        head = bytes([first, mask_bit | 126]) + struct.pack("!H", size)
    else:
        head = bytes([first, mask_bit | 127]) + struct.pack("!Q", size)
    return head + (bytes(4) if masked else b"") + payload


def close_code(said: bytes) -> int:
    """The code of the close frame at the end of what a server said."""
    found = CLOSE_FRAME.search(said)
    assert found is not None, said
    return int.from_bytes(found[1], "big")
