"""Starts real programs that a test can kill, stop and starve, and calls them."""

import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.engine import URL

from tests.faults.population import PROCESS
from tests.support.forked import Process, program
from tests.support.project import ROOT

TIMEOUT = 120.0
"""Seconds after which a test gives up waiting."""

REST = f"/pub/v1/bpm/instance/bytemplate/{PROCESS.namespace}/{PROCESS.code}/version"
SMALL_CHUNKS = {"UPLIFT_CHUNK_MS": "2", "UPLIFT_LEASE_SECONDS": "2", "UPLIFT_LOG_FORMAT": "json"}
"""Many short chunks, and a short lease. Partitions are small, too: see small_partitions."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP reply."""

    status: int
    headers: Message
    body: Any


def until(holds: Callable[[], bool], what: str, *, every: float = 0.01) -> None:
    """Wait until the condition holds; look so often, in seconds."""
    deadline = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < deadline, f"Expected that {what}."
        time.sleep(every)


class Program:
    """The command line as a program of its own."""

    def __init__(self, process: Process, output: Path, errors: Path, key: str) -> None:
        self.process = process
        self._output = output
        self._errors = errors
        self._key = key

    @property
    def log(self) -> str:
        return self._errors.read_text() + self._output.read_text()

    @property
    def url(self) -> str:
        """Its base URL; waits until it serves."""
        pattern = re.compile(r"Uplift serves (http://[^ ]+) ")
        until(
            lambda: self.process.poll() is not None or pattern.search(self._output.read_text()) is not None,
            "the program serves",
        )
        found = pattern.search(self._output.read_text())
        assert found, self.log
        return found[1]

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Send a signal, and wait for the end; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(TIMEOUT)

    def freeze(self) -> None:
        """Suspend it. When this returns, all its threads are stopped."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def ask(self, path: str, body: object = None, **headers: str) -> Answer:
        """Send a GET, or a POST of a JSON body."""
        request = urllib.request.Request(
            self.url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self._key}", "content-type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:
                return Answer(status=reply.status, headers=reply.headers, body=json.loads(reply.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(status=error.code, headers=error.headers, body=json.loads(error.read()))

    def mutate(self, mutation: str, fields: object) -> Any:
        """Send a mutation with one input; returns its payload."""
        name = mutation.partition("(")[0]
        kind = name[0].upper() + name[1:] + "Input"
        query = f"mutation($input: {kind}!) {{ {mutation} }}"
        answer = self.ask("/graphql", {"query": query, "variables": {"input": fields}})
        assert answer.status == 200, answer
        assert "errors" not in answer.body, answer.body
        payload = answer.body["data"][name]
        assert payload["userErrors"] == [], payload
        return payload

    def upgrade_all_by_rest(self, key: str) -> UUID:
        """Request an upgrade of all active instances without waiting for its end."""
        headers = {"prefer": "respond-async", "idempotency-key": key}
        answer = self.ask(REST, {"updateAllActive": True}, **headers)
        assert answer.status in (200, 202), answer
        return UUID(answer.body["upgradeId"])

    def upgrade_all_by_graphql(self, key: str) -> UUID:
        """The same through GraphQL."""
        fields = {
            "namespace": PROCESS.namespace,
            "code": PROCESS.code,
            "selection": {"allActive": {}},
            "idempotencyKey": key,
            "wait": False,
        }
        payload = self.mutate(
            "upgradeInstances(input: $input) { upgrade { id } userErrors { code } }", fields
        )
        return UUID(payload["upgrade"]["id"])


@contextmanager
def started(
    command: str, database: Path | URL, key: str, *arguments: str, folder: Path | None = None, **more: str
) -> Iterator[Program]:
    """Runs the command on this database, and kills it at the end. Its output stays in the folder."""
    url = f"sqlite:///{database}" if isinstance(database, Path) else str(database)
    if folder is None:
        assert isinstance(database, Path), "a database on a server has no folder"
        folder = database.parent
    place = folder / f"program-{uuid4()}"
    place.mkdir()
    output, errors = place / "output.txt", place / "errors.txt"
    with output.open("wb") as out, errors.open("wb") as err:
        process = program(
            "tests.faults.small_partitions",
            [*command.split(), "--database-url", url, *arguments],
            folder=ROOT,
            environment={**SMALL_CHUNKS, **more},
            out=out,
            err=err,
        )
        try:
            yield Program(process, output, errors, key)
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def served(database: Path | URL, key: str, **more: Any) -> Any:
    """Runs `uplift serve` on this database, at a free port."""
    return started("serve", database, key, "--port", "0", **more)
