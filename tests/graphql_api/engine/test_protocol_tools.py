"""Real clients of other projects find nothing wrong with the endpoint, on a real socket.

They come from npm and are installed on the first run; without npm these tests are skipped.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.project import ROOT


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The endpoint on a real socket, by uvicorn in its own process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [
        "-m",
        "uvicorn",
        "tests.graphql_api.engine.served:an_app",
        "--factory",
        "--log-level",
        "warning",
    ]
    with subprocess.Popen([sys.executable, *arguments, "--port", str(port)], cwd=ROOT) as server:
        try:
            wait_for(server, port)
            yield f"http://127.0.0.1:{port}/graphql"
        finally:
            server.terminate()


def wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("Expected the server to answer within 30 seconds, but it does not.")


def run(tools: Path, script: str, *arguments: str) -> Any:
    """What the script prints, read as JSON."""
    command = ["node", script, *arguments]
    done = subprocess.run(command, cwd=tools, check=True, capture_output=True, timeout=60)
    return json.loads(done.stdout)


def test_serves_the_client_of_graphql_transport_ws(tools: Path, address: str) -> None:
    assert run(tools, "subscribe.mjs", "ws", address) == {
        "subscription": {"results": [{"data": {"count": 0}}, {"data": {"count": 1}}]},
        "query": {"results": [{"data": {"caller": "ada"}}]},
        "mistake": {"results": [], "error": ["GRAPHQL_VALIDATION_FAILED"]},
        "refused": {"results": [], "error": 4403},
    }


def test_serves_the_client_of_graphql_sse(tools: Path, address: str) -> None:
    found = run(tools, "subscribe.mjs", "sse", address)
    [mistake] = found["mistake"].pop("results")
    assert [error["extensions"]["code"] for error in mistake["errors"]] == ["GRAPHQL_VALIDATION_FAILED"]
    assert found == {
        "subscription": {"results": [{"data": {"count": 0}}, {"data": {"count": 1}}]},
        "query": {"results": [{"data": {"caller": "ada"}}]},
        "mistake": {},
        "refused": {"results": [], "error": 401},
    }
