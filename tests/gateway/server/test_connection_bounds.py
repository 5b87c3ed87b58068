"""What clients without a key can take is bounded: per connection, per address and per server."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.gateway.gateway_world import UPLIFT, started
from tests.gateway.server.raw import HANDSHAKE, Server, frame, read_all, until
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.observability.refusals import ConnectionRefusal, ConnectionRefusals
from uplift.gateway.server.bounds import (
    FEW_CONTROL_FRAMES,
    KEPT_DESCRIPTORS,
    MAX_ALL_CONTROL_FRAMES,
    MAX_DROPPED_BYTES,
    Bounds,
    connections_within_descriptors,
)
from uplift.gateway.server.connections import Connections, network_of

KIB = 1_024
OF_A_CONNECTION = 128 * KIB
"""docs/reference/connections.md."""
DESCRIPTORS, OF_AN_ADDRESS = 256, 100


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with few descriptors, of which one address gets a part."""
    arguments = f"ulimit -n {DESCRIPTORS} && exec {UPLIFT} serve --port=0 --metrics-port=0"
    with started(
        "-c",
        arguments,
        command="/bin/sh",
        folder=tmp_path_factory.mktemp("small"),
        UPLIFT_MAX_CONNECTIONS_PER_ADDRESS=str(OF_AN_ADDRESS),
        UPLIFT_LOG_FORMAT="json",
    ) as program:
        yield Server(program, key="")
        assert "Traceback" not in program.errors


def test_descriptors_are_never_exhausted(small: Server) -> None:
    total = DESCRIPTORS - KEPT_DESCRIPTORS
    assert "fewer connections than UPLIFT_MAX_CONNECTIONS" in small.program.errors
    with ExitStack() as stack:
        for source, count in (("127.0.0.2", OF_AN_ADDRESS), ("127.0.0.3", total - OF_AN_ADDRESS)):
            for _ in range(count):
                stack.enter_context(small.connect(source=source))
        small.until_sample("uplift_client_connections", total)
        for source in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
            with small.connect(source=source) as refused:
                assert read_all(refused).startswith(b"HTTP/1.1 503 ")
        assert small.refusals("server_full") == 3
        assert '"reason": "server_full"' in small.program.errors
        assert f"Expected at most {total} connections" in small.program.errors
        assert small.sample("process_open_fds") < DESCRIPTORS - KEPT_DESCRIPTORS // 2
    until(lambda: small.sample("uplift_client_connections") == 0)
    small.must_be_well()


def test_an_address_gets_only_its_part(small: Server) -> None:
    with ExitStack() as stack:
        for _ in range(OF_AN_ADDRESS):
            stack.enter_context(small.connect(source="127.0.0.2"))
        small.until_sample("uplift_client_connections", OF_AN_ADDRESS)
        with small.connect(source="127.0.0.2") as refused:
            assert read_all(refused).startswith(b"HTTP/1.1 503 ")
        small.must_be_well()
        assert small.refusals("address_full") == 1
        assert "UPLIFT_MAX_CONNECTIONS_PER_ADDRESS" in small.program.errors
        assert '"client": "127.0.0.2"' in small.program.errors


def test_one_address_cannot_keep_others_from_the_metrics_port(small: Server) -> None:
    host, _, port = small.metrics_url.removeprefix("http://").removesuffix("/metrics").partition(":")
    with ExitStack() as stack:
        for _ in range(40):
            idle = stack.enter_context(socket.socket())
            idle.bind(("127.0.0.2", 0))
            idle.connect((host, int(port)))
        small.must_be_well_at_metrics()


HEAD = b"POST /graphql HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(100))
WORST = {
    "a long head": HEAD + b"A: " + b"x" * 30_000,
    "a head of small headers and a body": HEAD + b"Content-Length: 9000000\r\n\r\n" + b"x" * 200_000,
    "many headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 6_000,
    "pipelined requests": b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 5_000,
    "trailers": b"POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    + b"a:b\r\n" * 40_000,
    "an endless chunk": b"POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"
    + b"x" * 200_000,
    "a websocket message": HANDSHAKE.encode() + b"\r\n" + frame(b"x" * 1_000_000)[:200_000],
    "websocket messages": HANDSHAKE.encode() + b"\r\n" + frame(b"") * 30_000,
    "websocket fragments": HANDSHAKE.encode() + b"\r\n" + frame(b"x", fin=False) * 30_000,
    "websocket pings": HANDSHAKE.encode() + b"\r\n" + frame(b"x" * 125, opcode=9) * 1_500,
}


def test_strangers_cannot_take_more_memory_than_documented(small: Server) -> None:
    """Each connection sends its worst and reads nothing."""
    before = small.memory()
    with ExitStack() as stack:
        for number in range(OF_AN_ADDRESS):
            connection = stack.enter_context(small.connect(receive_buffer=4_096))
            connection.setblocking(False)
            with suppress(BlockingIOError, ConnectionError):
                connection.send(list(WORST.values())[number % len(WORST)])
        small.must_be_well_at_metrics()
        grown = small.memory() - before
    assert grown < OF_AN_ADDRESS * OF_A_CONNECTION / KIB**2


class Silent:
    """A connection that does nothing."""

    def check(self, now: float) -> None:
        pass

    def abort(self) -> None:
        pass


def some_connections(total: int, of_an_address: int, proxy: str = "") -> Connections:
    bounds = Bounds(
        connections=total,
        connections_per_address=of_an_address,
        head_seconds=1,
        message_seconds=1,
        message_bytes=1,
        send_seconds=1,
    )
    return Connections(bounds, ConnectionRefusals(Metrics()), is_proxy=lambda host: host == proxy)


def refusal_of(connections: Connections, host: str | None) -> ConnectionRefusal | None:
    refused = connections.admit(Silent(), host)
    return refused[0] if refused else None


def test_the_addresses_of_a_network_with_ipv6_count_as_one() -> None:
    connections = some_connections(total=10, of_an_address=1)
    assert refusal_of(connections, "2001:db8:1:2::1") is None
    assert refusal_of(connections, "2001:db8:1:2:ffff::9") is ConnectionRefusal.ADDRESS_FULL
    assert refusal_of(connections, "2001:db8:1:3::1") is None
    assert refusal_of(connections, "10.0.0.1") is None
    assert refusal_of(connections, "::ffff:10.0.0.1") is ConnectionRefusal.ADDRESS_FULL
    assert network_of("fe80::1%eth0") == network_of("fe80::2")


def test_a_trusted_proxy_is_bounded_by_the_server_only() -> None:
    connections = some_connections(total=3, of_an_address=1, proxy="10.0.0.9")
    assert [refusal_of(connections, "10.0.0.9") for _ in range(4)] == [
        None,
        None,
        None,
        ConnectionRefusal.SERVER_FULL,
    ]


def test_pings_of_all_websockets_are_bounded_in_sum() -> None:
    connections = some_connections(total=1, of_an_address=1)
    each = MAX_ALL_CONTROL_FRAMES // FEW_CONTROL_FRAMES
    for number in range(1, FEW_CONTROL_FRAMES + 1):
        assert not any(connections.is_control_flood(number) for _ in range(each))
    assert not connections.is_control_flood(FEW_CONTROL_FRAMES)
    assert connections.is_control_flood(FEW_CONTROL_FRAMES + 1)


def test_what_closed_connections_send_is_bounded_in_sum() -> None:
    connections = some_connections(total=1, of_an_address=1)
    assert not connections.drops_too_much(MAX_DROPPED_BYTES)
    assert connections.drops_too_much(1)


def test_a_closed_connection_frees_its_place_once() -> None:
    connections, connection = some_connections(total=1, of_an_address=1), Silent()
    assert connections.admit(connection, "10.0.0.1") is None
    for _ in range(2):
        connections.remove(connection)
    assert len(connections) == 0
    assert [refusal_of(connections, "10.0.0.1") for _ in range(2)] == [None, ConnectionRefusal.SERVER_FULL]


def test_descriptors_are_kept_for_databases() -> None:
    assert connections_within_descriptors(1) == 1
    assert connections_within_descriptors(10**9) < 10**9
