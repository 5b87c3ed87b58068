"""Times what request ids, log lines and metrics add to a request.

    .venv/bin/python bench/request_log.py [requests]

CPU time of this process per request, the application called directly, with and without; rounds alternate, and
the medians are shown. The request uses no database, whose threads would blur the difference.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from starlette.types import ASGIApp, Message

from uplift.gateway.app import build_app
from uplift.gateway.observability.logging import configure_logs
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.observability.request_log import RequestLog
from uplift.gateway.settings import Settings
from uplift.storage.store import SqlStore

ROUNDS = 15


async def ask(app: ASGIApp) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/openapi.json",
        "raw_path": b"/openapi.json",
        "query_string": b"",
        "headers": [(b"accept", b"*/*")],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        assert message.get("status", 200) == 200

    await app(scope, receive, send)


async def seconds(app: ASGIApp, requests: int) -> float:
    """The CPU seconds per request."""
    began = time.process_time()
    for _ in range(requests):
        await ask(app)
    return (time.process_time() - began) / requests


async def main(requests: int) -> None:
    metrics, settings = Metrics(), Settings(log_format="json")
    sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115  for the whole life of the program
    configure_logs(settings, metrics)
    with tempfile.TemporaryDirectory() as folder:
        store = await SqlStore.open(Path(folder) / "bench.sqlite")
        bare = build_app(store, settings, metrics)
        apps: dict[str, ASGIApp] = {
            "not observed": bare,
            "observed, no line": RequestLog(bare, metrics, access_log=False),
            "observed": RequestLog(bare, metrics, access_log=True),
        }
        found: dict[str, list[float]] = {name: [] for name in apps}
        for _ in range(ROUNDS):
            for name, app in apps.items():
                found[name].append(await seconds(app, requests))
        await store.close()
    least = statistics.median(found["not observed"])
    for name, times in found.items():
        median = statistics.median(times)
        print(f"{name:20} {1e6 * median:7.1f} µs a request, {1e6 * (median - least):+6.1f}")


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000))
