"""Starts an Operaton with instances of the demo's process, links it, and shows the plan of their upgrade.

    ./demo --engine operaton --instances 2000

It builds Operaton with Maven, once, and keeps everything else in a temporary folder. Further options go to
`uplift serve`.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.operaton import NotBuilt, built, operaton  # noqa: E402
from uplift.gateway.demo import PROCESS, VERSIONS, document, positions  # noqa: E402

UPLIFT = str(Path(sys.executable).with_name("uplift"))
CAMUNDA = 'xmlns:camunda="http://camunda.org/schema/1.0/bpmn"'
CALLED = re.compile(rb"<((?:\w+:)?(?:serviceTask|sendTask|businessRuleTask|scriptTask)) ")
"""Tasks that a program carries out, which an engine only takes with a way to call it."""


def runnable(model: bytes) -> bytes:
    """A model of the demo with what Operaton demands: who carries out tasks, and how long history is kept."""
    model = re.sub(rb"<((?:\w+:)?definitions) ", rb"<\1 %s " % CAMUNDA.encode(), model, count=1)
    model = re.sub(
        rb"<((?:\w+:)?process) (?![^>]*historyTimeToLive)", rb'<\1 camunda:historyTimeToLive="P1D" ', model
    )
    return CALLED.sub(rb'<\1 camunda:type="external" camunda:topic="demo" ', model)


def deploy(client: httpx2.Client) -> list[str]:
    """Deploy all versions; returns their ids."""
    versions = []
    for number in range(1, VERSIONS + 1):
        files = {"data": (f"consumer-loan-v{number}.bpmn", runnable(document(number)))}
        reply = client.post("/deployment/create", files=files, data={"deployment-name": f"version {number}"})
        if not reply.is_success:
            sys.exit(f"Expected Operaton to take version {number}, but: {reply.text[:500]}")
        versions += list(reply.json()["deployedProcessDefinitions"])
    return versions


def start(client: httpx2.Client, versions: list[str], count: int, seed: int) -> None:
    """Start instances of all versions, where instances of the demo wait."""
    chance = random.Random(seed)  # noqa: S311  a demo needs no secret

    def begin(number: int, position: frozenset[str]) -> None:
        instructions = [
            {"type": "startBeforeActivity", "activityId": element} for element in sorted(position)
        ]
        reply = client.post(
            f"/process-definition/{versions[number - 1]}/start", json={"startInstructions": instructions}
        )
        reply.raise_for_status()

    with ThreadPoolExecutor(4) as threads:
        for _ in range(count):
            number = chance.randint(1, VERSIONS)
            threads.submit(begin, number, chance.choice(positions(number)))


@contextmanager
def gateway(folder: Path, options: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A gateway with a database in this folder; its output is what `uplift serve` prints."""
    process = subprocess.Popen(
        [UPLIFT, "serve", *options], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def uplift(folder: Path, *arguments: str) -> str:
    """The output of a command on the gateway's database."""
    done = subprocess.run([UPLIFT, *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def main() -> None:
    """Run the demo until it is interrupted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engine", choices=["operaton"], required=True)
    parser.add_argument("--instances", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--once", action="store_true", help="end after the plan is shown")
    options, of_serve = parser.parse_known_args()
    os.environ.pop("UPLIFT_URL", None)
    try:
        built()
    except NotBuilt as error:
        sys.exit(f"Expected to build Operaton, but {error}")
    print("Starting Operaton …", flush=True)
    with (
        operaton() as engine,
        tempfile.TemporaryDirectory(prefix="uplift-demo-") as name,
        gateway(Path(name), of_serve) as served,
    ):
        folder = Path(name)
        assert served.stdout is not None
        lines = [served.stdout.readline() for _ in range(4)]
        with httpx2.Client(base_url=engine.url, timeout=60) as client:
            versions = deploy(client)
            print(f"Starting {options.instances:,} instances in Operaton at {engine.url} …", flush=True)
            began = time.monotonic()
            start(client, versions, options.instances, options.seed)
            print(f"They took {time.monotonic() - began:.0f} s. Linking it …", flush=True)
        uplift(folder, "links", "add", "operaton", "--url", engine.url, "--namespace", PROCESS.namespace)
        uplift(folder, "links", "sync", "operaton")
        print("".join(lines))
        print(uplift(folder, "upgrade", str(PROCESS), "--all-active", "--dry-run"))
        print(f"Upgrade them where they run, in {folder}:\n\n  {UPLIFT} upgrade {PROCESS} --all-active\n")
        if not options.once:
            try:
                served.wait()
            except KeyboardInterrupt:
                print()


if __name__ == "__main__":
    main()
