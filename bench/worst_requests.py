"""Sends the requests that cost a server most, while another client reads, and prints how long it waits.

A real `uplift serve` on a filled SQLite file. Each of the worst requests is sent again and again, first by
one client and then by four at once. Beside them a client asks for /healthz and for one instance by its id.
Measures the slower 99th percentile of both, and the memory of the server with its child processes: at most,
and how much more than at the start remains a minute after the last request.
Run: python -m bench.worst_requests [instances] [seconds for each request] [clients] [seconds to wait]
"""

import asyncio
import http.client
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import Manager
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.engine import URL

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most, percentile, single
from bench.memory import memory_of
from bench.population import ADMIN, add_admin_key, populate
from bench.servers import Started, uplift_on
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


def measure(instances: int, seconds: int, clients: int, wait: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "served.sqlite"
        ids = asyncio.run(populate(file, instances))
        key = asyncio.run(add_admin_key(file))
        asyncio.run(add_large(file))
        with uplift_on(file) as server:
            probes = Probes(server=server, key=key, ids=[str(id_) for id_ in ids[:1_000]], seconds=seconds)
            return asyncio.run(take(probes, worst_requests(ids), sorted({1, clients}), wait))


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """Asks a server for /healthz and for one instance at a time, for some seconds."""

    server: Started
    key: str
    ids: Sequence[str]
    seconds: float

    async def beside(self, worst: Worst | None, clients: int) -> tuple[float, float]:
        """The 99th percentiles of both in ms, while clients send a request again and again."""
        # Clients in processes of their own: they must not slow the probes down more than the server does.
        with Manager() as manager, ProcessPoolExecutor(max(1, clients)) as pool:
            stop, port = manager.Event(), self.server.port
            sending = [
                pool.submit(send_until, stop, worst, port, self.key)
                for _ in range(clients)
                if worst is not None
            ]
            await asyncio.sleep(0.5)
            bodies = [body(ONE, id=instance_id) for instance_id in self.ids]
            health, reads = await asyncio.gather(
                asyncio.to_thread(probe, port, "GET", "/healthz", [b""], self.key, self.seconds),
                asyncio.to_thread(probe, port, "POST", "/graphql", bodies, self.key, self.seconds),
            )
            stop.set()
            answers = sum([await asyncio.wrap_future(future) for future in sending])
        p99 = percentile(health, 99) * 1e3, percentile(reads, 99) * 1e3
        name = worst.name if worst else "nothing else"
        print(
            f"{name:46}{clients:3} clients{answers:9} answers: {p99[0]:.1f} and {p99[1]:.1f} ms", flush=True
        )
        return p99


async def take(probes: Probes, requests: Iterator[Worst], clients: Sequence[int], wait: int) -> list[Figure]:
    peaks: list[float] = []
    watching = asyncio.create_task(watch(probes.server.pid, peaks))
    at_rest = max(await probes.beside(None, 0))
    start = memory_of(probes.server.pid)
    figures = [single("nothing else", [at_rest], unit="ms")]
    for worst in requests:
        waited = [max(await probes.beside(worst, several)) for several in clients]
        slowest = single(worst.name, waited, unit="ms", target=SLOWEST)
        figures.append(replace(slowest, ours=max(slowest.rounds)))
    highest = max(peaks)
    await asyncio.sleep(wait)
    remaining = memory_of(probes.server.pid) - start
    watching.cancel()
    return [
        *figures,
        single("memory at most", [highest], unit="MiB", target=HIGHEST),
        single("memory that remains", [remaining], unit="MiB", target=REMAINING),
    ]


def probe(
    port: int, method: str, path: str, bodies: Sequence[bytes], key: str, seconds: float
) -> list[float]:
    """How long each request took, in seconds, one after the other with a short pause."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    took: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        status = answer(connection, method, path, bodies[len(took) % len(bodies)], key)
        assert status == http.HTTPStatus.OK, "a refusal takes less time than an answer"
        took.append(time.perf_counter() - began)
        time.sleep(0.005)
    return took


def send_until(stop: threading.Event, worst: Worst, port: int, key: str) -> int:
    """Send a request again and again, and return how often it was answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    count = 0
    while not stop.is_set():
        try:
            answer(connection, "POST", worst.path, worst.body, key)
        except OSError:  # a refused body may end the connection
            connection.close()
        count += 1
    return count


def answer(connection: http.client.HTTPConnection, method: str, path: str, content: bytes, key: str) -> int:
    """Send a request and read its reply; returns the status."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    connection.request(method, path, content, headers)
    reply = connection.getresponse()
    while reply.read(65_536):
        pass
    return reply.status


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


SLOWEST = at_most("99th percentiles of /healthz and of a read", 250, "ms")
HIGHEST = at_most("memory of the server", 400, "MiB")
REMAINING = at_most("memory that remains a minute after the last request", 50, "MiB")
BENCH = Bench(
    compares="how long /healthz and a read wait beside each of the worst requests, by one client and by four",
    sizes={"instances": (100_000, 20_000), "seconds": (1, 1), "clients": (4, 1), "wait": (60, 1)},
    targets=(SLOWEST, HIGHEST, REMAINING),
    measure=measure,
)

if __name__ == "__main__":
    run_alone(BENCH)
