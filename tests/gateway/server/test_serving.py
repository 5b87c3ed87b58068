"""`uplift serve` starts without a database, explains what is wrong, and stops on a signal."""

import re
import signal
import socket
import sqlite3
import time
from pathlib import Path

import httpx2
import pytest

from tests.gateway.gateway_world import (
    Place,
    Program,
    a_key,
    error_of,
    everything,
    leave_queued,
    started,
    uplift,
    with_store,
)
from uplift.domain import UpgradeState
from uplift.domain.model.access import Role

KEY = re.compile(r"uplift_[0-9A-Za-z]{49}")
REST = "/pub/v1/bpm/instance/bytemplate/crm/orders/version"
QUERY = {"query": "{ processes { nodes { code } } }"}


def keys_in(file: Path) -> list[tuple[str]]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute("SELECT name FROM api_key").fetchall()
    finally:
        connection.close()


def test_serves_from_an_empty_folder_and_shows_the_first_key_once(folder: Path) -> None:
    with started("serve", "--port", "0", folder=folder) as program:
        url = program.url()
        (key,) = set(KEY.findall(program.output))
        assert program.output == (
            f"Uplift serves {url} (console: {url}/console, GraphiQL: {url}/graphql, "
            f"REST: {url}/openapi.json).\n"
            f"The first system administrator key, shown only this once:\n\n  {key}\n\n"
        )
        headers = {"authorization": f"Bearer {key}"}
        reply = httpx2.post(f"{url}/graphql", json=QUERY, headers=headers)
        assert (reply.status_code, reply.json()) == (200, {"data": {"processes": {"nodes": []}}})
        assert "server" not in reply.headers
        must_stop(program, signal.SIGTERM)
    assert keys_in(folder / "uplift.sqlite") == [("first-admin",)]

    with started("serve", "--port", "0", folder=folder) as program:
        program.url()
        must_stop(program, signal.SIGINT)
        assert KEY.findall(program.output) == []
    assert keys_in(folder / "uplift.sqlite") == [("first-admin",)]


def must_stop(program: Program, sign: signal.Signals) -> None:
    """Stop an idle program. It must end soon, with code 0, and log nothing."""
    begun = time.monotonic()
    assert program.stop(sign) == 0
    assert time.monotonic() - begun < 4
    assert all(" [info " in line and " request " in line for line in program.errors.splitlines())


def test_a_port_in_use_is_said_in_a_sentence_and_no_key_is_lost(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with started("serve", "--port", str(port), folder=folder) as program:
            assert program.process.wait(30) == 1
            assert program.errors == f"Expected to listen at 127.0.0.1:{port}, but: Address already in use.\n"
            assert program.output == ""
    assert not (folder / "uplift.sqlite").exists()
    with started("serve", "--port", str(port), folder=folder) as program:
        assert program.url() == f"http://127.0.0.1:{port}"
        assert len(KEY.findall(program.output)) == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--host", "192.0.2.1"], "Expected to listen at 192.0.2.1:0, but: Cannot assign requested address."),
        (
            ["--database-url", "sqlite:///no/such/folder/x.sqlite"],
            "Expected a folder no/such/folder for the database, but there is none.",
        ),
        (["--database-url", "sqlite:////"], "Expected the database / to be a file, but it is a folder."),
        (["--database-url", "mysql://me:geheim@h/db"], "Expected the database URL to be "),
    ],
)
def test_what_stands_in_the_way_is_said_in_a_sentence(folder: Path, arguments: list[str], why: str) -> None:
    said = error_of("serve", "--port", "0", *arguments)
    assert said.startswith(why)
    assert "\n" not in said
    assert "geheim" not in said
    assert list(folder.iterdir()) == []


def test_stops_in_a_few_seconds_while_a_request_is_under_way(folder: Path) -> None:
    with started("serve", "--port", "0", folder=folder) as program:
        host, port = program.url().removeprefix("http://").split(":")
        (key,) = set(KEY.findall(program.output))
        with (
            socket.create_connection((host, int(port))) as idle,
            socket.create_connection((host, int(port))) as slow,
        ):
            idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in idle.recv(1_000)
            slow.sendall(
                f"POST {REST} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
            )
            time.sleep(0.2)  # until the request has started, which cannot be observed
            begun = time.monotonic()
            assert program.stop() == 0
            assert time.monotonic() - begun < 8
            assert slow.recv(1_000).startswith(b"HTTP/1.1 503 ")
        assert "Traceback" not in program.errors
        assert "request cancelled by shutdown" in program.errors
        assert key not in program.errors


def test_goes_on_with_an_unfinished_upgrade_when_it_starts(folder: Path, database: Place) -> None:
    with_store(database, leave_queued)
    (upgrade,) = everything(database).upgrades
    assert upgrade.state is UpgradeState.QUEUED
    _, key = a_key(database, Role.READER)

    query = {"query": "{ upgrades { nodes { state upgraded skipped } } }"}
    with started("serve", "--port", "0", folder=folder) as program:
        url = program.url()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            reply = httpx2.post(f"{url}/graphql", json=query, headers={"authorization": f"Bearer {key}"})
            (seen,) = reply.json()["data"]["upgrades"]["nodes"]
            if seen["state"] == "COMPLETED":
                break
            time.sleep(0.05)
        assert seen == {"state": "COMPLETED", "upgraded": 3, "skipped": 2}
        assert program.stop() == 0
        assert "Traceback" not in program.errors


def test_the_demo_shows_a_key_a_curl_line_that_works_and_the_plan(folder: Path) -> None:
    with started("demo", "--instances", "500", "--port", "0", folder=folder, TMPDIR=str(folder)) as program:
        program.wait_for(r"(Fingerprint \S+)\n")
        shown = program.output
        url = re.findall(r"Uplift serves (\S+) until", shown)[0]
        (key,) = set(KEY.findall(shown))
        assert f"  GraphiQL                   {url}/graphql " in shown
        assert "Plan for lending/consumer-loan: upgrade to version 6" in shown.splitlines()
        assert shown.count("INCOMPATIBLE ELEMENT_MISSING(") > 0

        command = re.search(
            r"  curl -X POST (\S+) \\\n    -H '(\S+): (.+)' -H '(\S+): (\S+)' \\\n    -d '(.+)'", shown
        )
        assert command is not None
        address, *headers, body = command.groups()
        reply = httpx2.post(
            address, headers=dict(zip(headers[::2], headers[1::2], strict=True)), content=body
        )
        assert (reply.status_code, reply.json()["success"], reply.json()["total"]) == (200, True, 1)

        mutation = re.search(r"  mutation \{.*?\n  \}\n", shown, re.DOTALL)
        assert mutation is not None
        reply = httpx2.post(
            f"{url}/graphql", json={"query": mutation[0]}, headers={"authorization": f"Bearer {key}"}
        )
        payload = reply.json()["data"]["upgradeInstances"]
        assert payload["userErrors"] == []
        assert payload["upgrade"]["upgraded"] > 0
        assert list(folder.glob("uplift-demo-*"))
        assert program.stop() == 0
        assert "Traceback" not in program.errors
    assert list(folder.glob("uplift-demo-*")) == []
    assert not (folder / "uplift.sqlite").exists()


def test_help_comes_without_arguments() -> None:
    result = uplift()
    assert result.exit_code == 2
    assert "Usage: uplift" in result.output
