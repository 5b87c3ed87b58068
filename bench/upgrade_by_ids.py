"""Times one REST request with 100,000 instance ids against the bare statements that it needs.

Ours is the whole gateway, called in this process as an ASGI application over an SQLite file, its worker
included: key, body, ids, upgrade and reply. The floor is one audit INSERT … SELECT and one UPDATE of the same
rows by plain sqlite3, in one transaction, on a copy of the same file; the ids are loaded into a temporary
table first, by executemany.
Run: python -m bench.upgrade_by_ids [instances] [ids] [rounds]
"""

import asyncio
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most, compared
from bench.population import PROCESS, add_admin_key, copied, plain_connection, populate
from uplift.gateway.app import build_app
from uplift.gateway.settings import Settings
from uplift.storage.store import SqlStore

PATH = f"/pub/v1/bpm/instance/bytemplate/{PROCESS.namespace}/{PROCESS.code}/version"


class Clock:
    """Wall and CPU time since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def floor(path: Path, ids: Sequence[UUID]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Times of the pair of statements, and of the pair with the loading of the ids."""
    connection = plain_connection(path)
    connection.execute(
        "CREATE TABLE bare_audit (instance_id INTEGER PRIMARY KEY, from_version INT, position_id INT)"
    )
    connection.execute("CREATE TEMP TABLE selected (uuid BLOB)")
    loading = Clock()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO selected VALUES (?)", ((instance_id.bytes,) for instance_id in ids))
    pair = Clock()
    connection.execute(
        "INSERT INTO bare_audit SELECT i.id, i.version, i.position_id FROM selected s CROSS JOIN instance i"
        " ON i.uuid = s.uuid WHERE +i.process_id = 1 AND i.status = 1 AND i.version < 4"
    )
    moved = connection.execute(
        "UPDATE instance SET version = 4 WHERE id IN (SELECT instance_id FROM bare_audit)"
        " AND status = 1 AND version < 4"
    ).rowcount
    connection.execute("COMMIT")
    times = pair.read(), loading.read()
    connection.close()
    assert moved == len(ids), moved
    return times


async def ours(path: Path, body: bytes, key: str) -> tuple[float, float]:
    store = await SqlStore.open(path)
    app = build_app(store, Settings())
    async with app.router.lifespan_context(app):
        took, reply = await post(app, body, key)
    await store.close()
    assert reply["updated"] == reply["total"], reply
    return took


async def post(app: Any, body: bytes, key: str) -> tuple[tuple[float, float], dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not parts:
            await asyncio.Event().wait()  # the client stays for the answer
        return parts.pop()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "server": ("bench", 80),
        "headers": [
            (b"authorization", f"Bearer {key}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ],
    }
    clock = Clock()
    await app(scope, receive, send)
    took = clock.read()
    assert sent[0]["status"] == 200, sent
    return took, json.loads(sent[1]["body"])


def measure(count: int, ids_count: int, rounds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base.sqlite"
        waiting = asyncio.run(populate(base, count))
        key = asyncio.run(add_admin_key(base))
        ids = random.Random(2).sample(waiting, ids_count)
        body = json.dumps({"instanceIds": [str(instance_id) for instance_id in ids]}).encode()
        print(f"{count:,} instances, {ids_count:,} ids, a body of {len(body):,} bytes")
        pairs, loads, requests = [], [], []
        for _ in range(rounds):
            pair, loaded = floor(copied(base, "floor.sqlite"), ids)
            request = asyncio.run(ours(copied(base, "ours.sqlite"), body, key))
            pairs.append(pair)
            loads.append(loaded)
            requests.append(request)
            print(
                f"pair {pair[0]:.3f} s   with loading {loaded[0]:.3f} s   ours {request[0]:.3f} s   "
                f"ratio {request[0] / pair[0]:.2f} ({request[0] / loaded[0]:.2f} with loading)   "
                f"CPU {request[1] / pair[1]:.2f}"
            )
    bare, loading = "bare statements", "bare statements and loading ids"
    wall, cpu = (
        {
            name: [sample[i] for sample in samples]
            for name, samples in (("ours", requests), (bare, pairs), (loading, loads))
        }
        for i in (0, 1)
    )
    return [
        compared("request by ids", wall["ours"], wall[bare], unit="s", beside=bare, target=TARGET),
        compared("its CPU time", cpu["ours"], cpu[bare], unit="s", beside=bare),
        compared("request by ids, beside loading", wall["ours"], wall[loading], unit="s", beside=loading),
    ]


TARGET = at_most("request by ids", 3)
BENCH = Bench(
    compares="100,000 ids in one REST request, beside the bare statements",
    sizes={"instances": (1_000_000, 20_000), "ids": (100_000, 2_000), "rounds": (5, 1)},
    targets=(TARGET,),
    measure=measure,
)

if __name__ == "__main__":
    run_alone(BENCH)
