"""Counts small GraphQL queries per second: Uplift's connections against uvicorn's own protocol classes.

Each server is one process on a real socket with the application of `bench.graphql_small_query`; 16 keep-alive
connections of another process ask again and again. Rounds alternate, the best of each counts. Run
`python -m bench.http_server` from the top of the checkout.
"""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import uvloop

from bench.graphql_small_query import load, ours
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.observability.refusals import Refusals
from uplift.gateway.server.bounded_server import BoundedServer
from uplift.gateway.server.http_server import bounds_of
from uplift.gateway.settings import Settings

SECONDS = 2.0
ROUNDS = 4
SERVERS = ("uplift", "httptools", "h11")


async def serve_ours(port: int) -> None:
    server = BoundedServer(ours(), bounds_of(Settings()), Refusals(Metrics()), stop_seconds=1)
    await server.serve([socket.create_server(("127.0.0.1", port))])


def start(server: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server, and return its process and port when it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["bench.http_server", str(port)]
    if server != "uplift":
        quiet = ("--log-level=warning", "--no-access-log")
        arguments = ["uvicorn", "bench.graphql_small_query:ours", "--factory", f"--port={port}"]
        arguments += [f"--http={server}", *quiet]
    process = subprocess.Popen([sys.executable, "-m", *arguments])
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.05)
    raise SystemExit(f"{server} did not start")


def cpu_seconds(process: subprocess.Popen[bytes]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(server: str) -> tuple[float, float]:
    """Requests per second of time, and of the server's CPU time."""
    process, port = start(server)
    try:
        uvloop.run(load(port, 0.5))
        before = cpu_seconds(process)
        rate = uvloop.run(load(port, SECONDS))
        return rate, rate * SECONDS / (cpu_seconds(process) - before)
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    best = dict.fromkeys(SERVERS, (0.0, 0.0))
    for _ in range(ROUNDS):
        for server in SERVERS:
            rate, cpu_rate = measure(server)
            best[server] = max(best[server][0], rate), max(best[server][1], cpu_rate)
    peer, cpu_peer = best["httptools"]
    for server, (rate, cpu_rate) in best.items():
        print(
            f"{server:>10}: {rate:6.0f} requests/s, ratio {rate / peer:.2f}; "
            f"{cpu_rate:6.0f} a second of CPU time, ratio {cpu_rate / cpu_peer:.2f}"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        uvloop.run(serve_ours(int(sys.argv[1])))
    else:
        main()
