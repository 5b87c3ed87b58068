"""A server listens at every address of its host, in both families."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.gateway.gateway_world import a_key, started
from uplift.domain.errors import InvalidInput
from uplift.gateway.server.listener import listening, url_of


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no address ::1")
BOTH = ["127.0.0.1", "::1"]


def reachable(port: int) -> list[str]:
    """The addresses of this machine at which something listens at this port."""
    found = []
    for address in BOTH:
        try:
            socket.create_connection((address, port), timeout=10).close()
        except OSError:
            continue
        found.append(address)
    return found


@needs_ipv6
@pytest.mark.parametrize(
    ("host", "addresses"),
    [("::", BOTH), ("", BOTH), ("0.0.0.0", ["127.0.0.1"]), ("127.0.0.1", ["127.0.0.1"]), ("::1", ["::1"])],
)
def test_listens_at_every_address_of_the_host_at_one_port(host: str, addresses: list[str]) -> None:
    with listening(host, 0) as listeners:
        [port] = {listener.getsockname()[1] for listener in listeners}
        assert reachable(port) == addresses
    assert reachable(port) == []


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names for addresses; no machine has those for documentation (RFC 5737, RFC 3849)."""
    known = {
        "both.example": BOTH,
        "one.example": ["2001:db8::1", "127.0.0.1"],
        "none.example": ["192.0.2.1", "2001:db8::1"],
        "twice.example": ["127.0.0.1", "127.0.0.1"],
    }
    resolve = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, **options: int) -> list[object]:
        return [entry for address in known.get(host, [host]) for entry in resolve(address, port, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_no_write_of_a_connection_waits_for_the_one_before() -> None:
    with (
        listening("127.0.0.1", 0) as (listener,),
        socket.create_connection(listener.getsockname(), timeout=10),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@needs_ipv6
@pytest.mark.usefixtures("names")
@pytest.mark.parametrize(("host", "count"), [("both.example", 2), ("one.example", 1), ("twice.example", 1)])
def test_leaves_out_the_addresses_that_the_machine_does_not_have(host: str, count: int) -> None:
    with listening(host, 0) as listeners:
        assert len(listeners) == count


@pytest.mark.usefixtures("names")
def test_refuses_a_host_of_which_the_machine_has_no_address() -> None:
    with pytest.raises(InvalidInput) as refused, listening("none.example", 0):
        pass
    assert refused.value.message == (
        "Expected to listen at none.example:0, but: Cannot assign requested address."
    )


@needs_ipv6
def test_refuses_a_port_that_is_in_use_in_one_family_and_listens_in_neither() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(InvalidInput) as refused, listening("::", port):
            pass
        assert refused.value.message == f"Expected to listen at [::]:{port}, but: Address already in use."
        assert refused.value.field == ("host", "port")
        assert reachable(port) == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["a" * 64, "a..b", "a\0b"])
def test_refuses_a_text_that_cannot_be_a_name(host: str) -> None:
    with (
        pytest.raises(InvalidInput, match=r"^Expected to listen at .*, but: ") as refused,
        listening(host, 0, setting_prefix="metrics_"),
    ):
        pass
    assert refused.value.field == ("metrics_host", "metrics_port")


@needs_ipv6
def test_the_server_and_its_metrics_answer_in_both_families(folder: Path, file: Path) -> None:
    _, key = a_key(file)
    options = ("--host", "::", "--port", "0", "--metrics-host", "::", "--metrics-port", "0")
    with started("serve", *options, folder=folder, UPLIFT_LOG_FORMAT="json") as program:
        port = program.wait_for(r"Uplift serves http://\[::\]:(\d+) ")
        metrics = program.wait_for(r"Metrics are at http://\[::\]:(\d+)/metrics")
        for address in ("127.0.0.1", "[::1]"):
            query = {"query": "{ __typename }"}
            headers = {"authorization": f"Bearer {key}"}
            reply = httpx2.post(f"http://{address}:{port}/graphql", json=query, headers=headers)
            assert reply.json() == {"data": {"__typename": "Query"}}
            assert httpx2.get(f"http://{address}:{metrics}/metrics").status_code == 200
        assert program.stop() == 0
        assert '"client": "127.0.0.1"' in program.errors
        assert '"client": "::1"' in program.errors


def test_listens_at_a_unix_socket_and_removes_it(folder: Path) -> None:
    path = folder / "uplift.sock"
    with listening(f"unix:{path}", 8000) as [listener]:
        assert url_of(listener) == f"unix:{path}"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        with pytest.raises(InvalidInput) as refused, listening(f"unix:{path}", 8000):
            pass
        assert refused.value.message == f"Expected to listen at unix:{path}, but: Address already in use."
    assert not path.exists()


def test_takes_the_place_of_a_program_that_was_killed_and_of_nothing_else(folder: Path) -> None:
    path = folder / "uplift.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with listening(f"unix:{path}", 0):
        pass
    path.write_text("a file")
    with pytest.raises(InvalidInput, match="but: Address already in use"), listening(f"unix:{path}", 0):
        pass
    assert path.read_text() == "a file"


@pytest.mark.parametrize("path", ["", "no/such/folder/uplift.sock", "a" * 200])
def test_refuses_a_path_at_which_no_socket_can_be(folder: Path, path: str) -> None:
    with (
        pytest.raises(InvalidInput, match=f"^Expected to listen at unix:{path}, but: "),
        listening(f"unix:{path}", 0),
    ):
        pass
    assert list(folder.iterdir()) == []


def test_a_proxy_at_a_unix_socket_is_believed_if_it_is_named(folder: Path, file: Path) -> None:
    host = f"unix:{folder}/uplift.sock"
    environment = {"UPLIFT_HOST": host, "UPLIFT_TRUSTED_PROXIES": '["unix"]', "UPLIFT_LOG_FORMAT": "json"}
    with started("serve", folder=folder, **environment) as program:
        program.wait_for(f"Uplift serves ({host}) ")
        transport = httpx2.HTTPTransport(uds=f"{folder}/uplift.sock")
        with httpx2.Client(transport=transport, base_url="http://uplift.example") as client:
            said = {"x-forwarded-for": "198.51.100.9", "x-forwarded-prefix": "/tools"}
            document = client.get("/openapi.json", headers=said).json()
        assert document["servers"] == [{"url": "/tools"}]
        check = [sys.executable, "-m", "uplift.gateway.health_check"]
        assert subprocess.run(check, env={**os.environ, **environment}).returncode == 0
        assert program.stop() == 0
        assert '"client": "198.51.100.9"' in program.errors
        assert subprocess.run(check, env={**os.environ, **environment}, capture_output=True).returncode == 1
