"""Sends the requests that cost a server most, while another client reads, and prints how long it waits.

A real `uplift serve` on a filled SQLite file. Each of the worst requests is sent again and again, first by
one client and then by four at once. Beside them a client asks for /healthz and for one instance by its id.
Prints the 99th percentiles of both, and the memory of the server with its child processes: at the start, at
most, and a minute after the last request.
Run: python -m bench.worst_requests [seconds for each request]
"""

import asyncio
import http.client
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import Manager
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.engine import URL

from bench.memory import memory_of
from bench.population import ADMIN, add_admin_key, populate
from tests.support.large_documents import deep_tasks, ladder, removed_chain
from uplift.domain import (
    ElementId,
    Instance,
    InstanceId,
    ProcessKey,
    Status,
    VersionNumber,
    create_process,
    publish_version,
    register_instances,
    save_draft,
)
from uplift.domain.use_cases import instances as instance_limits
from uplift.storage.store import SqlStore

PORT = 8767
WAIT = 60.0
"""Seconds from the last request to the last look at the memory."""
MAX_MS, MAX_MIB, MAX_REMAINING_MIB = 250, 400, 50
CHAIN, LADDER, DEEP = (ProcessKey(namespace="bench", code=code) for code in ("chain", "ladder", "deep"))
WIDE = ProcessKey(namespace="bench", code="wide")
ONE = "query One($id: UUID!) { instance(id: $id) { instanceId version status position } }"
PLAN = """query Plan($input: UpgradePlanInput!) {
  upgradePlan(input: $input) { plan { total cohorts { count decision } } userErrors { message } } }"""
COMPARE = """query Compare($namespace: String!, $code: String!) {
  process(namespace: $namespace, code: $code) {
    comparison(fromVersion: 1) { errors { code source message } warnings { code source message } }
  }
}"""
SAVE = "mutation Save($input: SaveDraftInput!) { saveDraft(input: $input) { userErrors { message } } }"
REGISTER = """mutation Register($input: RegisterInstancesInput!) {
  registerInstances(input: $input) { count userErrors { message } } }"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """A request, with a name for the table."""

    name: str
    path: str = "/graphql"
    body: bytes
    requests_upgrade: bool = False


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "served.sqlite"
        ids = asyncio.run(populate(file, 100_000))
        key = asyncio.run(add_admin_key(file))
        asyncio.run(add_large(file))
        server = served(file)
        try:
            asyncio.run(measure(server.pid, key, ids, seconds))
        finally:
            server.terminate()
            server.wait()


def served(file: Path, *more: str) -> "subprocess.Popen[bytes]":
    """A server on the file that answers, with more options."""
    uplift = str(Path(sys.executable).with_name("uplift"))
    options = ["--port", str(PORT), "--log-level", "error", "--no-access-log", *more]
    server = subprocess.Popen([uplift, "serve", *options, "--database-url", f"sqlite:///{file}"])
    for _ in range(100):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", PORT)
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return server
    raise SystemExit("the server did not start")


async def measure(server: int, key: str, ids: list[UUID], seconds: float) -> None:
    peaks: list[float] = []
    watching = asyncio.create_task(watch(server, peaks))
    reads = [str(instance_id) for instance_id in ids[:1_000]]
    print(f"{'':46}{'clients':>8}{'answers':>9}{'healthz':>10}{'read':>10}{'peak':>8}   99th, ms, MiB")
    await row("nothing else", None, 0, key, reads, peaks, seconds)
    start = memory_of(server)
    slowest = 0.0
    for worst in worst_requests(ids):
        for clients in (1, 4):
            slowest = max(slowest, await row(worst.name, worst, clients, key, reads, peaks, seconds))
    highest = max(peaks)
    await asyncio.sleep(WAIT)
    end = memory_of(server)
    watching.cancel()
    print(f"memory: {start:.0f} MiB at the start, {highest:.0f} at most, {end:.0f} after {WAIT:.0f} s")
    print(
        f"slowest 99th percentile {slowest:.0f} ms (at most {MAX_MS}), memory {highest:.0f} MiB (at most "
        f"{MAX_MIB}), {end - start:.0f} MiB remain (at most {MAX_REMAINING_MIB})"
    )


async def row(
    name: str,
    worst: Worst | None,
    clients: int,
    key: str,
    ids: list[str],
    peaks: list[float],
    seconds: float,
) -> float:
    """Measure and print one line of the table. Returns the slower of both 99th percentiles, in ms."""
    peaks_before = len(peaks)
    # Clients in processes of their own: they must not slow the probes down more than the server does.
    with Manager() as manager, ProcessPoolExecutor(max(1, clients)) as pool:
        stop = manager.Event()
        sending = [pool.submit(send_until, stop, worst, key) for _ in range(clients)] if worst else []
        await asyncio.sleep(0.5)
        health, reads = await asyncio.gather(
            asyncio.to_thread(probe, "GET", "/healthz", [b""], key, seconds),
            asyncio.to_thread(probe, "POST", "/graphql", [body(ONE, id=one) for one in ids], key, seconds),
        )
        stop.set()
        answers = sum([await asyncio.wrap_future(future) for future in sending])
    p99 = [percentile(took, 99) * 1e3 for took in (health, reads)]
    peak = max(peaks[peaks_before:], default=0)
    print(f"{name:46}{clients:8}{answers:9}{p99[0]:10.1f}{p99[1]:10.1f}{peak:8.0f}", flush=True)
    return max(p99)


def probe(method: str, path: str, bodies: list[bytes], key: str, seconds: float) -> list[float]:
    """How long each request took, in seconds, one after the other with a short pause."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=300)
    took: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        answer(connection, method, path, bodies[len(took) % len(bodies)], key)
        took.append(time.perf_counter() - began)
        time.sleep(0.005)
    return took


def send_until(stop: threading.Event, worst: Worst, key: str) -> int:
    """Send a request again and again, and return how often it was answered."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=600)
    count = 0
    while not stop.is_set():
        try:
            answer(connection, "POST", worst.path, worst.body, key)
        except OSError:  # a refused body may end the connection
            connection.close()
        count += 1
    return count


def answer(connection: http.client.HTTPConnection, method: str, path: str, content: bytes, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request(method, path, content, headers)
    reply = connection.getresponse()
    while reply.read(65_536):
        pass


def worst_requests(ids: list[UUID]) -> Iterator[Worst]:
    """The requests: documents, comparisons, plans, long replies, and bodies that are refused."""
    deep, _ = deep_tasks(49_000)
    larger, _ = deep_tasks(100_000)
    plan = {"namespace": CHAIN.namespace, "code": CHAIN.code, "selection": {"allActive": {}}}
    for name, document in (("49,000 tasks, depth 190", deep), ("100,000 tasks, depth 190", larger)):
        save = {"namespace": DEEP.namespace, "code": DEEP.code, "bpmn": document.decode()}
        yield Worst(name=f"saveDraft: {name}", body=body(SAVE, input=save))
    for name, process in (("a removed chain", CHAIN), ("a ladder", LADDER)):
        asked = {"namespace": process.namespace, "code": process.code}
        yield Worst(name=f"comparison: {name}", body=body(COMPARE, **asked))
    same = [{"source": "t0", "target": "t20000"}] * 10_000
    other = [{"source": f"t{number}", "target": "t20000"} for number in range(10_000)]
    for name, instructions in (("one source 10,000 times", same), ("10,000 instructions", other)):
        mappings = [{"fromVersion": 1, "instructions": instructions}]
        yield Worst(name=f"plan: {name}", body=body(PLAN, input={**plan, "mappings": mappings}))
    pages = " ".join(f"p{n}: instances(first: 1000) {{ nodes {{ position }} }}" for n in range(9))
    query = f'{{ process(namespace: "{WIDE.namespace}", code: "{WIDE.code}") {{ {pages} }} }}'
    yield Worst(name="nine pages of long positions", body=body(query))
    path = f"/pub/v1/bpm/instance/bytemplate/{CHAIN.namespace}/{CHAIN.code}/version"
    numbers = b'{"instanceIds": [' + b"1," * 4_000_000 + b"1]}"
    yield Worst(name="REST: 4,000,000 ids", path=path, body=numbers)
    braced = json.dumps({"instanceIds": [f"{{{instance_id}}}" for instance_id in ids]}).encode()
    yield Worst(name=f"REST: {len(ids):,} ids in braces", path=path, body=braced, requests_upgrade=True)
    variables = b'{"query": "query A($a: [UUID!]!) { __typename }", "variables": {"a": ['
    yield Worst(name="GraphQL: 4,000,000 variables", body=variables + b"1," * 4_000_000 + b"1]}}")
    yield Worst(name="GraphQL: 2,600,000 texts", body=variables + b'"",' * 2_600_000 + b'""]}}')
    yield Worst(name="GraphQL: 4,000,000 nested lists", body=variables + b"[" * 4_000_000)
    for name, positions in (
        ("75,000", 1),
        ("75,000 in 10,000 positions", 10_000),
        ("75,000 positions", 75_000),
    ):
        registered = [
            {
                "id": str(UUID(int=number)),
                "version": 2,
                "status": "PENDING",
                "position": [f"t{number % positions}"],
            }
            for number in range(75_000)
        ]
        register = {"namespace": CHAIN.namespace, "code": CHAIN.code, "instances": registered}
        yield Worst(name=f"registerInstances: {name}", body=body(REGISTER, input=register))


def body(query: str, **variables: Any) -> bytes:
    return json.dumps({"query": query, "variables": variables}).encode()


async def add_large(where: Path | URL) -> None:
    """Add processes with large documents, and one whose instances have positions as long as they may be."""
    store = await SqlStore.open(where)
    elements = getattr(instance_limits, "MAX_POSITION_ELEMENTS")  # noqa: B009
    characters = getattr(instance_limits, "MAX_POSITION_CHARACTERS", 199 * elements)
    long = frozenset(ElementId(f"{n:0>{characters // elements}}") for n in range(elements))
    for process, versions in (
        (CHAIN, removed_chain(24_000)),
        (LADDER, ladder(5_000)),
        (DEEP, ()),
        (WIDE, ()),
    ):
        await create_process(store, namespace=process.namespace, code=process.code, title=None, caller=ADMIN)
        for document in versions or (None,):
            await save_draft(store, process=process, model=document, caller=ADMIN)
            await publish_version(store, process=process, caller=ADMIN)
    for process, position, first in (
        (CHAIN, frozenset([ElementId("t23000")]), 10**9),
        (WIDE, long, 2 * 10**9),
    ):
        batch = [
            Instance(
                id=InstanceId(UUID(int=first + number)),
                process=process,
                version=VersionNumber(1),
                status=Status.PENDING,
                position=position,
            )
            for number in range(1_000)
        ]
        await register_instances(store, process=process, instances=batch, caller=ADMIN)
    await store.close()


async def watch(server: int, peaks: list[float]) -> None:
    while True:
        peaks.append(memory_of(server))
        await asyncio.sleep(0.05)


def percentile(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 6.0)
