"""Follows a running upgrade by many subscriptions of one key, and measures how long other requests wait.

A real `uplift serve` on a filled SQLite file, and a worker beside it that commits ten chunks a second.
Compares the 99th percentiles of /healthz and of one `instance(id)` without subscriptions and with them, for
each subscription of the schema, and measures the memory of the server for each subscription.
Run: python -m bench.subscriptions [instances] [subscriptions] [seconds]
"""

import asyncio
import json
import tempfile
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from multiprocessing import Manager
from pathlib import Path
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most, compared, percentile, single
from bench.memory import memory_of
from bench.population import ADMIN, PROCESS, add_admin_key, populate
from bench.servers import uplift_on
from bench.worst_requests import ONE, body, probe
from uplift.domain import UpgradeId, all_active, claim, request_upgrade, run_upgrade
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.use_cases.worker import Worker
from uplift.storage.store import SqlStore

PROTOCOL = Subprotocol("graphql-transport-ws")
PER_SOCKET = 20
"""Subscriptions on one WebSocket, as many as a gateway allows."""
SUBSCRIBING_SECONDS = 120.0
"""Seconds for the first event of each subscription: a socket that the server closed has none."""
UPGRADE = "{ id state total upgraded skipped etaSeconds }"
QUERIES = {
    "upgradeProgress": f"subscription($id: UUID!) {{ upgradeProgress(id: $id) {UPGRADE} }}",
    "upgradesChanged": f"subscription {{ upgradesChanged {UPGRADE} }}",
    "processChanged": f"""subscription {{
      processChanged(namespace: "{PROCESS.namespace}", code: "{PROCESS.code}") {{
        id activeCount activeByVersion {{ version pending running }} latestPublishedVersion {{ number }}
      }}
    }}""",
}
WORKER = Worker(
    name="bench",
    chunk_policy=ChunkPolicy(
        inline_limit=1, initial_size=500, max_size=500, pause=timedelta(milliseconds=100)
    ),
)


def measure(instances: int, subscriptions: int, seconds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "served.sqlite"
        ids = asyncio.run(populate(file, instances))
        key = asyncio.run(add_admin_key(file))
        upgrade_id = asyncio.run(request_one(file))
        with (
            uplift_on(file, "--no-worker") as server,
            Manager() as manager,
            ProcessPoolExecutor(2) as pool,
        ):
            stop = manager.Event()
            working = pool.submit(work_until, stop, file)
            try:
                probes = partial(probe_both, server.port, ids, key, seconds)
                alone, figures = probes(), []
                for name, query in QUERIES.items():
                    ended, subscribed = manager.Event(), manager.Event()
                    before = memory_of(server.pid)
                    following = pool.submit(
                        follow_until,
                        ended,
                        subscribed,
                        query,
                        str(upgrade_id),
                        server.port,
                        key,
                        subscriptions,
                    )
                    while not subscribed.wait(1):
                        if following.done():
                            following.result()  # raises what kept it from subscribing
                    beside = probes()
                    each = (memory_of(server.pid) - before) * 1024 / subscriptions
                    ended.set()
                    print(f"{name}: {following.result()} events")
                    figures += figures_of(name, beside, alone, each)
                stop.set()
                working.result()
            finally:
                stop.set()
    return figures


def figures_of(name: str, beside: list[float], alone: list[float], kib: float) -> list[Figure]:
    """The 99th percentiles of both probes, and the memory of each subscription."""
    return [
        *(
            compared(
                f"{name}: {what}", [with_them], [without], unit="ms", beside="no subscriptions", target=TARGET
            )
            for what, with_them, without in zip(("healthz", "read"), beside, alone, strict=True)
        ),
        single(f"{name}: memory of each", [kib], unit="KiB"),
    ]


def probe_both(port: int, ids: list[UUID], key: str, seconds: float) -> list[float]:
    """The 99th percentiles of /healthz and of a read, in ms."""
    with ProcessPoolExecutor(2) as pool:
        health = pool.submit(probe, port, "GET", "/healthz", [b""], key, seconds)
        bodies = [body(ONE, id=str(instance_id)) for instance_id in ids[:1_000]]
        read = pool.submit(probe, port, "POST", "/graphql", bodies, key, seconds)
        return [percentile(took.result(), 99) * 1e3 for took in (health, read)]


async def request_one(file: Path) -> UpgradeId:
    """Request the upgrade that is followed."""
    store = await SqlStore.open(file)
    request = UpgradeRequest(process=PROCESS, selection=all_active())
    upgrade = await request_upgrade(store, request, caller=ADMIN, worker=WORKER)
    await store.close()
    return upgrade.id


def work_until(stop: threading.Event, file: Path) -> None:
    """Run the upgrade in another program than the server."""

    async def work() -> None:
        store = await SqlStore.open(file)
        claimed = await claim(store, WORKER)
        assert claimed is not None
        await run_upgrade(store, claimed, WORKER, should_stop=stop.is_set)
        await store.close()

    asyncio.run(work())


def follow_until(
    ended: threading.Event,
    subscribed: threading.Event,
    query: str,
    upgrade_id: str,
    port: int,
    key: str,
    subscriptions: int,
) -> int:
    """Subscribe many times, and return the number of events."""

    async def follow() -> int:
        async with AsyncExitStack() as stack:
            counts = [0] * (subscriptions // PER_SOCKET)
            for number in range(len(counts)):
                socket = await stack.enter_async_context(a_socket(port, key))
                for operation in range(PER_SOCKET):
                    payload = {"query": query, "variables": {"id": upgrade_id}}
                    message = {"type": "subscribe", "id": str(operation), "payload": payload}
                    await socket.send(json.dumps(message))
                stack.callback(asyncio.create_task(count_events(socket, counts, number)).cancel)
            async with asyncio.timeout(SUBSCRIBING_SECONDS):
                while sum(counts) < subscriptions:
                    await asyncio.sleep(0.1)
            subscribed.set()
            await asyncio.to_thread(ended.wait)
            return sum(counts)

    return asyncio.run(follow())


@asynccontextmanager
async def a_socket(port: int, key: str) -> AsyncIterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {key}"}
    url = f"ws://127.0.0.1:{port}/graphql"
    async with connect(url, subprotocols=[PROTOCOL], additional_headers=headers, compression=None) as socket:
        await socket.send('{"type": "connection_init"}')
        await socket.recv()
        yield socket


async def count_events(socket: ClientConnection, counts: list[int], number: int) -> None:
    async for message in socket:
        counts[number] += b'"next"' in (message if isinstance(message, bytes) else message.encode())


TARGET = at_most("99th percentiles of /healthz and of a read", 50, "ms")
BENCH = Bench(
    compares=(
        "/healthz and one `instance(id)` beside 1,000 subscriptions of one key to each subscription of the "
        "schema, and without them"
    ),
    sizes={"instances": (500_000, 100_000), "subscriptions": (1_000, 40), "seconds": (10, 1)},
    targets=(TARGET,),
    measure=measure,
)

if __name__ == "__main__":
    run_alone(BENCH)
