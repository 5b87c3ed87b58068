"""Ten thousand connections that do little: they are served or refused by the documented bounds."""

import logging
import resource
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.gateway.gateway_world import UPLIFT, started
from tests.gateway.server.raw import Server, read_all, read_until
from tests.support.long_mode import long_only
from uplift.gateway.settings import Settings

pytestmark = [pytest.mark.faults, long_only]
# The short form is tests/gateway/server/test_connection_bounds.py, with 128 connections.

logger = logging.getLogger(__name__)

MANY = 10_000
SETTINGS = Settings()
OF_A_CONNECTION = 128 / 1_024
"""MiB, by docs/reference/connections.md."""
NOT_SENT, HALF_A_HEAD, KEPT_ALIVE = (
    b"",
    b"POST /graphql HTTP/1.1\r\nHost: x\r\nAuthoriz",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
)
KINDS = (NOT_SENT, HALF_A_HEAD, KEPT_ALIVE)


@pytest.fixture(autouse=True)
def many_descriptors() -> Iterator[None]:
    """Lets this program and the servers that it starts have enough descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < MANY + 1_000:
        pytest.skip(f"may not have {MANY + 1_000:,} descriptors, but {hard:,}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def a_server(folder: Path, **settings: str) -> Iterator[Server]:
    more = {"UPLIFT_LOG_FORMAT": "json", "UPLIFT_MAX_HEAD_SECONDS": "600", **settings}
    with started("serve", "--port=0", "--metrics-port=0", folder=folder, command=UPLIFT, **more) as program:
        yield Server(program, key="")
        assert "Traceback" not in program.errors


def sources(count: int) -> Sequence[str]:
    return [f"127.0.1.{number}" for number in range(1, count + 1)]


def connect_all(server: Server, stack: ExitStack, addresses: Sequence[str]) -> Counter[str]:
    """Open MANY connections, some idle, some with half a head, some after an answer; counts the answers."""
    answers: Counter[str] = Counter()
    for number in range(MANY):
        sent = KINDS[number % len(KINDS)]
        connection = server.connect(source=addresses[number % len(addresses)])
        try:
            connection.sendall(sent)
            if sent == KEPT_ALIVE:
                answers[read_until(connection, b"\r\n").partition(b"\r\n")[0].decode()] += 1
        except ConnectionError:
            answers["closed"] += 1
        stack.enter_context(connection)
    return answers


def refused(connection: socket.socket) -> bool:
    with connection:
        return read_all(connection).startswith(b"HTTP/1.1 503 ")


def test_all_are_served_if_the_bounds_allow_them(tmp_path: Path) -> None:
    bounds = {"UPLIFT_MAX_CONNECTIONS": "12000", "UPLIFT_MAX_CONNECTIONS_PER_ADDRESS": "1000"}
    with a_server(tmp_path, **bounds) as server, ExitStack() as stack:
        before = server.memory()
        answers = connect_all(server, stack, sources(10))
        assert answers == {"HTTP/1.1 200 OK": MANY // 3}
        # Those that have had an answer are closed when they have been idle for five seconds.
        assert server.sample("uplift_client_connections") >= MANY * 2 // 3
        server.must_be_well()
        assert server.memory() - before < MANY * OF_A_CONNECTION
        logger.info("%.0f MiB for %d connections", server.memory() - before, MANY)
        assert server.refusals("server_full") == server.refusals("address_full") == 0
        assert refused(server.connect(source="127.0.1.1"))
        assert server.refusals("address_full") == 1


def test_what_an_address_has_too_many_is_refused_and_others_are_served(tmp_path: Path) -> None:
    with a_server(tmp_path) as server, ExitStack() as stack:
        before = server.memory()
        answers = connect_all(server, stack, sources(3))
        most = 3 * SETTINGS.max_connections_per_address
        server.must_be_well()
        assert server.sample("uplift_client_connections") <= most + 1
        assert server.refusals("address_full") >= MANY - 2 * most
        assert set(answers) <= {"HTTP/1.1 200 OK", "HTTP/1.1 503 Service Unavailable", "closed"}
        assert '"reason": "address_full"' in server.program.errors
        assert server.program.errors.count('"reason": "address_full"') < MANY / 100
        assert server.memory() - before < most * OF_A_CONNECTION


def test_what_the_server_has_too_many_is_refused_until_some_end(tmp_path: Path) -> None:
    with a_server(tmp_path) as server:
        with ExitStack() as stack:
            connect_all(server, stack, sources(20))
            server.must_be_well_at_metrics()
            assert server.sample("uplift_client_connections") <= SETTINGS.max_connections
            assert server.refusals("server_full") >= MANY - 2 * SETTINGS.max_connections
            assert '"reason": "server_full"' in server.program.errors
        server.until_sample("uplift_client_connections", 0)
        server.must_be_well()
