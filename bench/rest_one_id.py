"""Counts REST requests with one id per second, against a bare route that stores the same.

Both are served by one uvicorn process on a real socket, on the loop that uvicorn chooses (uvloop), over
copies of the same SQLite file; 16 keep-alive connections of another process send one request after the other,
each for another waiting instance. The bare route is Starlette and aiosqlite without our layers: the same key
look-up, reads, inserts, update, kept counts and reply. Neither logs its requests.
Run: python -m bench.rest_one_id [instances] [rounds] [seconds]
"""

import asyncio
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import aiosqlite
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.loops.auto import auto_loop_factory

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_least, compared
from bench.population import BARE_PRAGMAS, PROCESS, add_admin_key, copied, populate
from bench.servers import Started, started
from uplift.gateway.observability.logging import configure_logs
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.server.http_server import serve
from uplift.gateway.settings import Settings

CONNECTIONS = 16
PATH = "/pub/v1/bpm/instance/bytemplate/{namespace}/{code}/version"
CONTENDERS = ("ours", "bare")

KEY = "SELECT name, role FROM api_key WHERE digest = ? AND revoked_at IS NULL"
LATEST = """
    SELECT p.id, (SELECT max(number) FROM version v WHERE v.process_id = p.id AND v.state = 2)
    FROM process p WHERE p.namespace = ? AND p.code = ?
"""
INSTANCE = "SELECT id, version, status, position_id FROM instance WHERE uuid = ? AND process_id = ?"
ADD_UPGRADE = """
    INSERT INTO upgrade (uuid, process_id, selection, target_version, retried, state, requested_by,
        mappings, requested_at, started_at, finished_at, worked, expected, upgraded, skipped,
        excluded, first_instance_id, last_instance_id)
    VALUES (?, ?, 1, ?, '', 4, ?, '[]', ?, ?, ?, 0, 1, 1, 0, 0, ?, ?)
"""
ADD_SELECTED = "INSERT INTO selected (upgrade_id, place, ordinal, uuid, instance_id) VALUES (?, 1, 1, ?, ?)"
ADD_OUTCOME = """
    INSERT INTO outcome (upgrade_id, instance_id, version, status, position_id) VALUES (?, ?, ?, ?, ?)
"""
ADD_DECISION = """
    INSERT INTO decision (upgrade_id, version, status, position_id, origin_version, origin_position_id,
        to_version, to_position_id, codes, reasons, warnings, instances)
    VALUES (?, ?, ?, ?, 0, 0, ?, ?, '', '[]', '[]', 0)
"""
COUNT = """
    INSERT INTO cohort_count (process_id, version, status, position_id, instances) VALUES (?, ?, 1, ?, ?)
    ON CONFLICT DO UPDATE SET instances = instances + excluded.instances
"""
MOVE = "UPDATE instance SET version = ? WHERE id = ? AND status = 1 AND version = ? AND position_id = ?"


class BareRoute:
    """A minimal route that upgrades the instance of one id and records its audit, without our layers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        self._reader = await self._connection()
        self._writer = await self._connection()

    async def stop(self) -> None:
        await self._reader.close()
        await self._writer.close()

    async def answer(self, request: Request) -> Response:
        token = request.headers["authorization"].removeprefix("Bearer ")
        key = await self._row(self._reader, KEY, (hashlib.sha256(token.encode()).digest(),))
        if key is None or key[1] != 1:
            return JSONResponse({"success": False, "error": "forbidden"}, status_code=403)
        instance_id = UUID((await request.json())["instanceIds"][0])
        upgrade = uuid4()
        async with self._turn:
            await self._writer.execute("BEGIN IMMEDIATE")
            old, target = await self._upgrade(request.path_params, instance_id, upgrade, key[0])
            await self._writer.execute("COMMIT")
        done = {
            "id": str(instance_id),
            "status": "updated",
            "fromVersion": old,
            "toVersion": target,
            "reasons": [],
        }
        counts = {"version": target, "total": 1, "updated": 1, "skipped": 0}
        reply = {"success": True, "error": "", "upgradeId": str(upgrade), **counts}
        return JSONResponse({**reply, "instances": [done], "truncated": False})

    async def _upgrade(self, names: Any, instance_id: UUID, upgrade: UUID, caller: str) -> tuple[int, int]:
        write, now = self._writer, time.time_ns() // 1_000
        process, target = await self._row(write, LATEST, (names["namespace"], names["code"]))
        found, version, status, position = await self._row(write, INSTANCE, (instance_id.bytes, process))
        added = await write.execute(
            ADD_UPGRADE, (upgrade.bytes, process, target, caller, now, now, now, found, found)
        )
        number = added.lastrowid
        await write.execute(ADD_SELECTED, (number, instance_id.bytes, found))
        await write.execute(ADD_OUTCOME, (number, found, version, status, position))
        await write.execute(ADD_DECISION, (number, version, status, position, target, position))
        moved = await write.execute(MOVE, (target, found, version, position))
        assert moved.rowcount == 1
        counts = ((process, version, position, -1), (process, target, position, 1))
        await write.executemany(COUNT, counts)
        return version, target

    async def _row(self, connection: aiosqlite.Connection, statement: str, bound: tuple[Any, ...]) -> Any:
        rows = list(await connection.execute_fetchall(statement, bound))
        return rows[0] if rows else None

    async def _connection(self) -> aiosqlite.Connection:
        connection = await aiosqlite.connect(self._path, isolation_level=None)
        for pragma in BARE_PRAGMAS:
            await connection.execute(pragma)
        return connection


async def serve_bare(path: Path, port: int) -> None:
    route = BareRoute(path)
    await route.start()
    app = Starlette(routes=[Route(PATH, route.answer, methods=["POST"])])
    config = uvicorn.Config(app, port=port, log_level="warning", access_log=False, server_header=False)
    await uvicorn.Server(config).serve()
    await route.stop()


async def serve_ours(path: Path, port: int) -> None:
    settings = Settings(database_url=f"sqlite:///{path}", port=port, access_log=False, log_level="warning")
    metrics = Metrics()
    configure_logs(settings, metrics)
    await serve(settings, metrics, on_ready=lambda *_: None, on_metrics=print)


class Asker(asyncio.Protocol):
    """A connection that requests the next instance as soon as it has the response."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self._received = b""
        self.answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if separator and len(body) >= int(length):
            assert head.startswith(b"HTTP/1.1 200"), (head, body)
            assert b'"updated":1' in body, body
            self._received = b""
            self.answers += 1
            self._transport.write(next(self._requests))


async def load(server: Started, requests: Iterator[bytes], seconds: float) -> tuple[float, float]:
    """The responses per second over all connections, and the server's CPU milliseconds per response."""
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(partial(Asker, requests), "127.0.0.1", server.port)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(min(1, seconds))
    start, cpu, before = time.perf_counter(), server.cpu_seconds(), sum(asker.answers for _, asker in pairs)
    await asyncio.sleep(seconds)
    answers = sum(asker.answers for _, asker in pairs) - before
    rate, cost = answers / (time.perf_counter() - start), (server.cpu_seconds() - cpu) / answers
    for transport, _ in pairs:
        transport.abort()
    return rate, cost * 1_000


def _requests(ids: list[UUID], key: str) -> Iterator[bytes]:
    path = PATH.format(namespace=PROCESS.namespace, code=PROCESS.code)
    for instance_id in ids:
        body = json.dumps({"instanceIds": [str(instance_id)]})
        yield (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


def rate_of(contender: str, path: Path, requests: Iterator[bytes], seconds: int) -> tuple[float, float]:
    with started("bench.rest_one_id", contender, str(path), "{port}") as server:
        return asyncio.run(load(server, requests, seconds))


def measure(count: int, rounds: int, seconds: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base.sqlite"
        waiting = asyncio.run(populate(base, count))
        key = asyncio.run(add_admin_key(base))
        seen: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTENDERS}
        for _ in range(rounds):
            for name in CONTENDERS:
                requests = _requests(waiting, key)
                rate, cost = rate_of(name, copied(base, f"{name}.sqlite"), requests, seconds)
                seen[name].append((rate, cost))
                print(f"{name}: {rate:6.0f} requests/s, {cost:.2f} ms of CPU each")
    rates, costs = ([[sample[i] for sample in seen[name]] for name in CONTENDERS] for i in (0, 1))
    return [
        compared("requests with one id", *rates, unit="/s", beside="a bare route", target=TARGET),
        compared("CPU time of a request", *costs, unit="ms", beside="a bare route"),
    ]


TARGET = at_least("requests with one id", 0.7)
BENCH = Bench(
    compares="REST requests per second with one id each, beside a bare route that stores the same",
    sizes={"instances": (100_000, 20_000), "rounds": (3, 1), "seconds": (4, 1)},
    targets=(TARGET,),
    measure=measure,
)

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in CONTENDERS:
        serving = serve_ours if sys.argv[1] == "ours" else serve_bare
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            runner.run(serving(Path(sys.argv[2]), int(sys.argv[3])))
    else:
        run_alone(BENCH)
