"""The log shows what happened to each request, and contains no API key."""

import json
import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.gateway.gateway_world import (
    a_key,
    break_table,
    everything,
    leave_queued,
    started,
    until,
    with_store,
)
from uplift.testing.builders import an_id

REST = "/pub/v1/bpm/instance/bytemplate/crm/orders/version"
QUERY = {"query": "{ processes { nodes { code } } }"}


class Gateway:
    """A running gateway, and the lines of its log after it has stopped."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.headers = {"authorization": f"Bearer {key}"}

    def post(self, path: str, body: object, **headers: str) -> httpx2.Response:
        return httpx2.post(self.url + path, json=body, headers={**self.headers, **headers})


def lines_of(errors: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in errors.splitlines()]


def about(lines: list[dict[str, Any]], request: str) -> list[dict[str, Any]]:
    return [line for line in lines if line.get("request_id") == request]


def test_every_request_has_an_id_and_a_line_and_no_key_is_in_the_log(folder: Path, file: Path) -> None:
    kept, key = a_key(file)
    with started(
        "serve", "--port", "0", folder=folder, UPLIFT_LOG_FORMAT="json", UPLIFT_LOG_LEVEL="debug"
    ) as program:
        gateway = Gateway(program.url(), key)
        upgraded = gateway.post(REST, {"instanceIds": [str(an_id(1))]}, **{"x-request-id": "trace-1"})
        queried = gateway.post("/graphql", QUERY, **{"x-request-id": "trace/2:a+b=="})
        made_up = gateway.post("/graphql", QUERY)
        with_key = gateway.post("/graphql", QUERY, **{"x-request-id": key})
        too_long = gateway.post("/graphql", QUERY, **{"x-request-id": "x" * 129})
        refused = httpx2.post(
            gateway.url + REST,
            json={},
            headers={"authorization": f"Bearer {key}x", "x-request-id": "trace-3"},
        )
        lost = httpx2.get(f"{gateway.url}/{key}?key={key}", headers={"x-request-id": "trace-4"})
        alive = httpx2.get(gateway.url + "/healthz", headers={"x-request-id": "trace-5"})
        with connect(
            gateway.url.replace("http", "ws") + "/graphql",
            subprotocols=[Subprotocol("graphql-transport-ws")],
            additional_headers={"x-request-id": "trace-6"},
        ) as socket:
            assert socket.response is not None
            assert socket.response.headers["x-request-id"] == "trace-6"
            socket.send(
                json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}})
            )
            assert json.loads(socket.recv())["type"] == "connection_ack"
        assert program.stop() == 0
    assert key not in program.errors
    lines = lines_of(program.errors)

    for reply, request_id in ((upgraded, "trace-1"), (queried, "trace/2:a+b=="), (refused, "trace-3")):
        assert reply.headers["x-request-id"] == request_id
    for reply in (made_up, with_key, too_long):
        assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])
        assert reply.status_code == 200
        assert len(about(lines, reply.headers["x-request-id"])) == 1

    requested, access = about(lines, "trace-1")
    assert requested["event"] == "upgrade requested"
    assert (requested["upgrade_id"], requested["process"]) == (upgraded.json()["upgradeId"], "crm/orders")
    assert access.pop("milliseconds") > 0
    assert access.pop("timestamp").endswith("Z")
    assert access == {
        "event": "request",
        "level": "info",
        "request_id": "trace-1",
        "key_id": str(kept.id),
        "method": "POST",
        "route": "/pub/v1/bpm/instance/bytemplate/{namespace}/{code}/version",
        "status": 200,
        "client": "127.0.0.1",
    }
    facts = [
        (line["method"], line["route"], line["status"], line["key_id"], line["level"])
        for number in (3, 4, 5, 6)
        for line in about(lines, f"trace-{number}")
        if line["event"] == "request"
    ]
    assert (refused.status_code, lost.status_code, alive.status_code) == (401, 404, 200)
    assert facts == [
        ("POST", access["route"], 401, None, "info"),
        ("GET", "OTHER", 404, None, "info"),
        ("GET", "/healthz", 200, None, "debug"),
        ("WEBSOCKET", "/graphql", 101, str(kept.id), "info"),
    ]


def test_every_line_about_an_upgrade_names_it(folder: Path, file: Path) -> None:
    with_store(file, leave_queued)
    (queued,) = everything(file).upgrades
    with started("worker", folder=folder, UPLIFT_LOG_FORMAT="json", UPLIFT_LOG_LEVEL="debug") as program:
        until(lambda: "upgrade released" in program.errors)
        assert program.stop() == 0
    about_it = [line for line in lines_of(program.errors) if line.get("upgrade_id") == str(queued.id)]
    assert [line["event"] for line in about_it] == ["upgrade claimed", "chunk done", "upgrade released"]
    assert {line["process"] for line in about_it} == {"crm/orders"}
    assert [(line["upgraded"], line["skipped"]) for line in about_it[1:]] == [(3, 2), (3, 2)]
    others = [line["event"] for line in lines_of(program.errors) if line not in about_it]
    assert not [event for event in others if "upgrade" in event or "chunk" in event]


def test_the_error_id_in_a_reply_is_in_the_log(folder: Path, file: Path) -> None:
    _, key = a_key(file)
    break_table(file, "upgrade")
    with started("serve", "--port", "0", "--no-worker", folder=folder, UPLIFT_LOG_FORMAT="json") as program:
        gateway = Gateway(program.url(), key)
        by_graphql = gateway.post("/graphql", {"query": "{ upgrades { nodes { id } } }"})
        by_rest = httpx2.get(f"{gateway.url}/pub/v1/bpm/upgrades/{an_id(1)}", headers=gateway.headers)
        assert program.stop() == 0
    assert by_rest.status_code == 500
    replies = {
        by_graphql.json()["errors"][0]["extensions"]["id"]: by_graphql,
        by_rest.json()["id"]: by_rest,
    }
    found = {line["error_id"]: line for line in lines_of(program.errors) if "error_id" in line}
    assert found.keys() == replies.keys()
    for error, reply in replies.items():
        assert found[error]["request_id"] == reply.headers["x-request-id"]
        assert found[error]["level"] == "error"
        assert "malformed" in json.dumps(found[error]["exception"])
        assert "malformed" not in reply.text
    assert key not in program.errors


@pytest.mark.parametrize("access_log", ["true", "false"])
def test_the_lines_of_requests_can_be_left_out(folder: Path, file: Path, access_log: str) -> None:
    with started("serve", "--port", "0", folder=folder, UPLIFT_ACCESS_LOG=access_log) as program:
        httpx2.get(f"{program.url()}/openapi.json")
        assert program.stop() == 0
    assert ("/openapi.json" in program.errors) is (access_log == "true")
