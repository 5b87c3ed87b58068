"""Follows a running upgrade by many subscriptions of one key, and prints how long other requests wait.

A real `uplift serve` on a filled SQLite file, and a worker beside it that commits ten chunks a second. Prints
the 99th percentiles of /healthz and of one `instance(id)` without subscriptions and with them, for each
subscription of the schema, the number of events, and the memory of the server for each subscription.
Run: python -m bench.subscriptions [subscriptions] [seconds]
"""

import asyncio
import json
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from multiprocessing import Manager
from pathlib import Path
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.memory import memory_of
from bench.population import ADMIN, PROCESS, add_admin_key, populate
from bench.worst_requests import ONE, PORT, body, percentile, probe, served
from uplift.domain import UpgradeId, all_active, claim, request_upgrade, run_upgrade
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.use_cases.worker import Worker
from uplift.storage.store import SqlStore

PROTOCOL = Subprotocol("graphql-transport-ws")
PER_SOCKET = 20
"""Subscriptions on one WebSocket, as many as a gateway allows."""
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


def main(subscriptions: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "served.sqlite"
        ids = asyncio.run(populate(file, 500_000))
        key = asyncio.run(add_admin_key(file))
        upgrade_id = asyncio.run(request_one(file))
        server = served(file, "--no-worker")
        with Manager() as manager, ProcessPoolExecutor(2) as pool:
            stop = manager.Event()
            working = pool.submit(work_until, stop, file)
            try:
                print(f"{'':34}{'healthz':>10}{'read':>10}   99th, ms")
                probe_both("no subscriptions", ids, key, seconds)
                for name, query in QUERIES.items():
                    left, subscribed = manager.Event(), manager.Event()
                    before = memory_of(server.pid)
                    following = pool.submit(
                        follow_until, left, subscribed, query, str(upgrade_id), key, subscriptions
                    )
                    subscribed.wait()
                    probe_both(f"{subscriptions} to {name}", ids, key, seconds)
                    each = (memory_of(server.pid) - before) * 1024 / subscriptions
                    left.set()
                    print(f"{following.result()} events; {each:.0f} KiB of memory for each subscription")
                stop.set()
                working.result()
            finally:
                stop.set()
                server.terminate()
                server.wait()


def probe_both(name: str, ids: list[UUID], key: str, seconds: float) -> None:
    """Measure and print one line of the table."""
    with ProcessPoolExecutor(2) as pool:
        health = pool.submit(probe, "GET", "/healthz", [b""], key, seconds)
        bodies = [body(ONE, id=str(instance_id)) for instance_id in ids[:1_000]]
        read = pool.submit(probe, "POST", "/graphql", bodies, key, seconds)
        p99 = [percentile(took.result(), 99) * 1e3 for took in (health, read)]
    print(f"{name:34}{p99[0]:10.1f}{p99[1]:10.1f}", flush=True)


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
    left: threading.Event,
    subscribed: threading.Event,
    query: str,
    upgrade_id: str,
    key: str,
    subscriptions: int,
) -> int:
    """Subscribe many times, and return the number of events."""

    async def follow() -> int:
        async with AsyncExitStack() as stack:
            counts = [0] * (subscriptions // PER_SOCKET)
            for number in range(len(counts)):
                socket = await stack.enter_async_context(a_socket(key))
                for operation in range(PER_SOCKET):
                    payload = {"query": query, "variables": {"id": upgrade_id}}
                    message = {"type": "subscribe", "id": str(operation), "payload": payload}
                    await socket.send(json.dumps(message))
                stack.callback(asyncio.create_task(count_events(socket, counts, number)).cancel)
            while sum(counts) < subscriptions:
                await asyncio.sleep(0.1)
            subscribed.set()
            await asyncio.to_thread(left.wait)
            return sum(counts)

    return asyncio.run(follow())


@asynccontextmanager
async def a_socket(key: str) -> AsyncIterator[ClientConnection]:
    headers = {"Authorization": f"Bearer {key}"}
    url = f"ws://127.0.0.1:{PORT}/graphql"
    async with connect(url, subprotocols=[PROTOCOL], additional_headers=headers, compression=None) as socket:
        await socket.send('{"type": "connection_init"}')
        await socket.recv()
        yield socket


async def count_events(socket: ClientConnection, counts: list[int], number: int) -> None:
    async for message in socket:
        counts[number] += b'"next"' in (message if isinstance(message, bytes) else message.encode())


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 1_000,
        float(sys.argv[2]) if len(sys.argv) > 2 else 10.0,
    )
