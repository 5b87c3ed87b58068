"""A server stops while clients wait, subscribe and call, and while its worker runs."""

import http.client
import json
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.faults.conftest import Template
from tests.faults.population import ACTIVE, PROCESS, must_tell_the_truth, progress_of, upgrades_in
from tests.faults.programs import REST, Program, served, started, until

pytestmark = pytest.mark.faults

QUEUED = 1
NEVER = "3600"
"""Seconds, far longer than any test may take."""
WAITING = """mutation($input: UpgradeInstancesInput!) {
  upgradeInstances(input: $input) { upgrade { id state } userErrors { code } } }"""
ALL = {"namespace": PROCESS.namespace, "code": PROCESS.code, "selection": {"allActive": {}}}


def following(upgrade: UUID) -> dict[str, str]:
    return {"query": f'subscription {{ upgradeProgress(id: "{upgrade}") {{ state total }} }}'}


@contextmanager
def event_stream(program: Program, key: str, upgrade: UUID) -> Iterator[http.client.HTTPResponse]:
    """An open stream whose first event has arrived."""
    headers = {
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "accept": "text/event-stream",
    }
    with closing(http.client.HTTPConnection(program.url.removeprefix("http://"), timeout=60)) as connection:
        connection.request("POST", "/graphql", json.dumps(following(upgrade)), headers)
        with connection.getresponse() as response:
            assert response.status == 200
            assert response.readline() == b"event: next\r\n"
            yield response


@contextmanager
def web_socket(program: Program, key: str, upgrade: UUID) -> Iterator[ClientConnection]:
    """An open connection whose first event has arrived."""
    address = program.url.replace("http://", "ws://") + "/graphql"
    authorized = {"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}}
    with connect(address, subprotocols=[Subprotocol("graphql-transport-ws")]) as connection:
        connection.send(json.dumps(authorized))
        assert json.loads(connection.recv())["type"] == "connection_ack"
        connection.send(json.dumps({"type": "subscribe", "id": "1", "payload": following(upgrade)}))
        assert json.loads(connection.recv())["type"] == "next"
        yield connection


def close_code(connection: ClientConnection) -> int:
    """The close code of the server. It may send events before, but not `complete`."""
    with suppress(ConnectionClosedError):
        for event in connection:
            assert json.loads(event)["type"] == "next"
    assert connection.close_code is not None
    return connection.close_code


def stored(file: Path, count: int) -> UUID:
    """Wait until this many upgrades exist; returns the last one."""
    until(lambda: len(upgrades_in(file)) == count, f"{count} upgrades are stored")
    return upgrades_in(file)[-1]


def control(program: Program, name: str, upgrade: UUID) -> None:
    program.mutate(
        f"{name}(input: $input) {{ upgrade {{ id }} userErrors {{ code }} }}", {"id": str(upgrade)}
    )


def must_be_released(program: Program, file: Path, upgrade: UUID, template: Template) -> None:
    """Check that the upgrade waits half way for another worker, and that no request was cancelled."""
    progress = progress_of(file, upgrade)
    assert (progress.state, progress.worker) == (QUEUED, None)
    assert 0 < must_tell_the_truth(file, upgrade, template.file).total < ACTIVE
    assert "Traceback" not in program.log
    assert "cancelled by shutdown" not in program.log


def test_a_stopping_server_answers_waiting_clients_and_releases_its_upgrade(
    template: Template, file: Path
) -> None:
    with (
        served(file, template.key, UPLIFT_STOP_SECONDS=NEVER, UPLIFT_WAIT_SECONDS=NEVER) as program,
        ThreadPoolExecutor() as threads,
    ):
        by_graphql = threads.submit(program.ask, "/graphql", {"query": WAITING, "variables": {"input": ALL}})
        first = stored(file, 1)
        by_rest = threads.submit(program.ask, REST, {"updateAllActive": True})
        second = stored(file, 2)
        would_rather_not_wait = threads.submit(
            program.ask, REST, {"updateAllActive": True}, prefer="respond-async, wait=3600"
        )
        third = stored(file, 3)
        for upgrade in (third, second, first):  # so that none ends during the preparation
            control(program, "pauseUpgrade", upgrade)
        paused = progress_of(file, first).total
        with (
            event_stream(program, template.key, first) as stream,
            web_socket(program, template.key, first) as followed,
        ):
            control(program, "resumeUpgrade", first)
            until(lambda: progress_of(file, first).total > paused, "the worker works")
            assert program.stop() == 0
            assert close_code(followed) == 1012
            assert (
                b"event: complete" not in stream.read()
            )  # otherwise the client would take it for the end of the upgrade

        answer = by_graphql.result()
        payload = answer.body["data"]["upgradeInstances"]
        assert (answer.status, payload["userErrors"]) == (200, [])
        assert payload["upgrade"]["id"] == str(first)
        assert payload["upgrade"]["state"] in ("RUNNING", "QUEUED")
        answer = by_rest.result()
        assert (answer.status, answer.body["code"]) == (503, "SERVER_STOPS")
        assert answer.headers["location"] == f"/pub/v1/bpm/upgrades/{second}"
        assert int(answer.headers["retry-after"]) > 0
        answer = would_rather_not_wait.result()
        assert (answer.status, answer.body["state"]) == (202, "PAUSED")
        assert answer.headers["location"] == f"/pub/v1/bpm/upgrades/{third}"
        must_be_released(program, file, first, template)


def test_a_stopping_worker_releases_its_upgrade(template: Template, file: Path) -> None:
    with served(file, template.key, UPLIFT_WORKER="false") as server:
        upgrade = server.upgrade_all_by_graphql("one")
        with started("worker", file, template.key, UPLIFT_STOP_SECONDS=NEVER) as worker:
            until(lambda: progress_of(file, upgrade).total > 0, "the worker works")
            assert worker.stop() == 0
            must_be_released(worker, file, upgrade, template)


def refuses(program: Program) -> bool:
    host, port = program.url.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port))).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_second_signal_ends_a_server_at_once(template: Template, file: Path) -> None:
    with served(file, template.key, UPLIFT_STOP_SECONDS=NEVER) as program:
        host, port = program.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(
                f"POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {template.key}\r\n"
                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
            )
            program.ask("/healthz")  # the other request has started, too
            program.process.send_signal(signal.SIGTERM)
            until(lambda: refuses(program), "the server begins to stop")
            assert program.is_running
            assert program.stop() == -signal.SIGTERM
