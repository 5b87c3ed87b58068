"""Audits and clients of other projects accept how the real gateway serves GraphQL."""

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.real_gateway import Gateway
from tests.support.other_tools import javascript_tools


@pytest.fixture
def tools() -> Path:
    return javascript_tools()


def run(tools: Path, script: str, *arguments: str) -> Any:
    """The JSON that the script prints."""
    command = ["node", script, *arguments]
    done = subprocess.run(command, cwd=tools, check=True, capture_output=True, timeout=60)
    return json.loads(done.stdout)


def follow(tools: Path, gateway: Gateway, protocol: str) -> Any:
    """The events that a real client of the protocol receives of a completed upgrade."""
    subscription = f'subscription {{ upgradeProgress(id: "{gateway.upgrade}") {{ id state }} }}'
    return run(tools, "ask.mjs", protocol, f"{gateway.url}/graphql", gateway.reader_key, subscription)


def test_passes_every_audit_of_graphql_over_http(tools: Path, gateway: Gateway) -> None:
    results = run(tools, "audit.mjs", f"{gateway.url}/graphql", gateway.reader_key)
    assert [result for result in results if result["status"] != "ok"] == []
    assert Counter(result["name"].split()[0] for result in results) == {"MUST": 13, "SHOULD": 23, "MAY": 25}


@pytest.mark.parametrize("protocol", ["ws", "sse"])
def test_serves_subscriptions_to_the_real_client(tools: Path, gateway: Gateway, protocol: str) -> None:
    upgrade = {"id": str(gateway.upgrade), "state": "COMPLETED"}
    assert follow(tools, gateway, protocol) == {"results": [{"data": {"upgradeProgress": upgrade}}]}


def test_refuses_the_single_connection_mode_of_graphql_sse(tools: Path, gateway: Gateway) -> None:
    """Its streams live in one process's memory; docs/reference/graphql.md says so."""
    assert follow(tools, gateway, "sse-single") == {"results": [], "error": 405}
