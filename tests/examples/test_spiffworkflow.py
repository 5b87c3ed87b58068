"""The example of an engine of one's own, run as its README says, by a real gateway."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.gateway_world import TIMEOUT, UPLIFT, a_key, started
from tests.support.project import ROOT
from uplift.domain import Role

EXAMPLE = ROOT / "examples" / "spiffworkflow"
MAPPING = {"1": {"approve": "sign"}}


class Example:
    """The example's program, and the command line of Uplift, in one folder."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def run(self, *arguments: str, fails: bool = False) -> str:
        done = subprocess.run(
            [sys.executable, EXAMPLE / "order_engine.py", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert (done.returncode != 0) is fails, done.stderr
        return done.stdout.strip()

    def show(self) -> dict[str, int]:
        return dict(json.loads(self.run("show")))

    def sync_until(self, expected: dict[str, int]) -> None:
        """Fetch orders until instances wait as expected."""
        deadline = time.monotonic() + TIMEOUT
        while self.show() != expected:
            assert time.monotonic() < deadline, self.show()
            self.run("sync")

    def begin(self, *command: str) -> subprocess.Popen[str]:
        """Start a command of Uplift that works on the gateway's database."""
        return subprocess.Popen(
            [UPLIFT, *command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Example]:
    with started("serve", "--port", "0", folder=tmp_path) as gateway:
        url = gateway.url()
        database = tmp_path / "uplift.sqlite"
        environment = {
            **os.environ,
            "UPLIFT_API_KEY": a_key(database)[1],
            "UPLIFT_ENGINE_KEY": a_key(database, Role.ENGINE, "orders")[1],
            "UPLIFT_URL": url,
        }
        yield Example(tmp_path, environment)
        assert gateway.errors.count("Traceback") == 0


def test_its_instances_are_upgraded_once_each_also_after_crashes_and_move_back(example: Example) -> None:
    assert example.run("deploy", str(EXAMPLE / "order-v1.bpmn")) == "version 1"
    example.run("start", "20")
    assert example.run("complete", "check", "8") == "completed 8"
    assert example.run("sync") == "carried out 0, reported 20"
    assert example.run("deploy", str(EXAMPLE / "order-v2.bpmn")) == "version 2"
    (example.folder / "mapping.json").write_text(json.dumps(MAPPING), encoding="utf-8")

    upgrade = example.begin("upgrade", "shop/order", "--all-active", "--mapping", "mapping.json")
    deadline = time.monotonic() + TIMEOUT
    while example.show() == {"1:approve": 8, "1:check": 12}:  # until the orders are there
        assert time.monotonic() < deadline
        assert upgrade.poll() is None, upgrade.communicate()
        subprocess.run(
            [sys.executable, EXAMPLE / "order_engine.py", "sync", "--crash-after", "7"],
            cwd=example.folder,
            env=example.environment,
            capture_output=True,
            check=False,
        )
    assert sum(count for place, count in example.show().items() if place.startswith("2:")) == 7
    # One instance goes on before its order is carried out: it is refused, not overwritten.
    assert example.run("complete", "approve", "1") == "completed 1"
    example.sync_until({"1:ship": 1, "2:check": 12, "2:sign": 7})
    output, errors = upgrade.communicate(timeout=TIMEOUT)
    assert upgrade.returncode == 0, errors
    assert "MOVED_ON" in output
    assert example.run("sync") == "carried out 0, reported 0"
