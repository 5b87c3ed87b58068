"""Counts small GraphQL queries per second: Uplift's connections against uvicorn's own protocol classes.

Each server is one process on a real socket with the application of `bench.graphql_small_query`; 16 keep-alive
connections of another process ask again and again. Rounds alternate.
Run: python -m bench.http_server [rounds] [seconds]
"""

import socket
import sys

import uvloop

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_least, compared
from bench.graphql_small_query import load, ours
from bench.servers import started
from uplift.gateway.observability.metrics import Metrics
from uplift.gateway.observability.refusals import ConnectionRefusals
from uplift.gateway.server.bounded_server import BoundedServer
from uplift.gateway.server.http_server import bounds_of
from uplift.gateway.settings import Settings

SERVERS = ("uplift", "httptools", "h11")
SAME = ("--log-level=warning", "--no-access-log", "--no-proxy-headers", "--no-server-header")
"""`BoundedServer` has no log of uvicorn either, no middleware for proxies, and no header `server`."""


async def serve_ours(port: int) -> None:
    server = BoundedServer(ours(), bounds_of(Settings()), ConnectionRefusals(Metrics()), stop_seconds=1)
    await server.serve([socket.create_server(("127.0.0.1", port))])


def rates_of(server: str, seconds: int) -> tuple[float, float]:
    """Requests per second of time, and of the server's CPU time."""
    module, arguments = "bench.http_server", ["--serve", "{port}"]
    if server != "uplift":
        module = "uvicorn"
        arguments = [
            "bench.graphql_small_query:ours",
            "--factory",
            "--port={port}",
            f"--http={server}",
            *SAME,
        ]
    with started(module, *arguments) as running:
        uvloop.run(load(running.port, 0.5))
        before = running.cpu_seconds()
        rate = uvloop.run(load(running.port, seconds))
        return rate, rate * seconds / (running.cpu_seconds() - before)


def measure(rounds: int, seconds: int) -> list[Figure]:
    seen: dict[str, list[tuple[float, float]]] = {server: [] for server in SERVERS}
    for _ in range(rounds):
        for server in SERVERS:
            rate, cpu_rate = rates_of(server, seconds)
            seen[server].append((rate, cpu_rate))
            print(f"{server}: {rate:.0f} requests/s, {cpu_rate:.0f} a second of CPU time")
    rates, cpu_rates = (
        {server: [pair[kind] for pair in pairs] for server, pairs in seen.items()} for kind in (0, 1)
    )
    return [
        compared(f"{what}, beside {peer}", ours["uplift"], ours[peer], unit="/s", beside=peer, target=target)
        for what, ours, targets in (
            ("requests per second of CPU time", cpu_rates, {"httptools": TARGET}),
            ("requests per second", rates, {}),
        )
        for peer in SERVERS[1:]
        for target in [targets.get(peer)]
    ]


TARGET = at_least("requests per second of CPU time, beside httptools", 1)
BENCH = Bench(
    compares=(
        "requests per second of CPU time with Uplift's connections, beside uvicorn's protocol classes on "
        "httptools and h11"
    ),
    sizes={"rounds": (4, 1), "seconds": (2, 1)},
    targets=(TARGET,),
    measure=measure,
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        uvloop.run(serve_ours(int(sys.argv[2])))
    else:
        run_alone(BENCH)
