"""Times what request ids, log lines and metrics add to a request.

CPU time of this process per request, the application called directly, with and without; rounds alternate. The
request uses no database, whose threads would blur the difference.
Run: python -m bench.request_log [requests] [rounds]
"""

import asyncio
import os
import tempfile
import time
from contextlib import redirect_stderr
from pathlib import Path

from starlette.types import ASGIApp, Message

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most, single
from uplift.gateway.app import build_app
from uplift.gateway.observability.logging import configure_logs
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.observability.request_log import RequestLog
from uplift.gateway.settings import Settings
from uplift.storage.store import SqlStore

NOT_OBSERVED = "not observed"


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


async def take_times(rounds: int, requests: int) -> dict[str, list[float]]:
    """The CPU microseconds per request of each application in each round."""
    metrics, settings = Metrics(), Settings(log_format="json")
    configure_logs(settings, metrics)
    with tempfile.TemporaryDirectory() as folder:
        store = await SqlStore.open(Path(folder) / "bench.sqlite")
        bare = build_app(store, settings, metrics)
        apps: dict[str, ASGIApp] = {
            NOT_OBSERVED: bare,
            "id and metrics": RequestLog(bare, metrics, access_log=False),
            "id, metrics and log line": RequestLog(bare, metrics, access_log=True),
        }
        found: dict[str, list[float]] = {name: [] for name in apps}
        for _ in range(rounds):
            for name, app in apps.items():
                found[name].append(1e6 * await seconds(app, requests))
        await store.close()
        return found


def measure(requests: int, rounds: int) -> list[Figure]:
    with Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        found = asyncio.run(take_times(rounds, requests))
    bare = found.pop(NOT_OBSERVED)
    return [
        single(
            f"{name}, added",
            [time - without for time, without in zip(times, bare, strict=True)],
            unit="µs",
            target=TARGET,
        )
        for name, times in found.items()
    ]


TARGET = at_most("what they add to a request", 100, "µs")
BENCH = Bench(
    compares="CPU time of a request with its id, metrics and log line, and without",
    sizes={"requests": (2_000, 100), "rounds": (15, 2)},
    targets=(TARGET,),
    measure=measure,
)

if __name__ == "__main__":
    run_alone(BENCH)
