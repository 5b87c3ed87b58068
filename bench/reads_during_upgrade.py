"""Times reads of one instance while an upgrade runs, against reads at rest.

A real server on a real file; one client queries `instance(id)` by GraphQL over a socket, again and again,
first at rest and then while 400,000 of 1,000,000 instances are upgraded by the server's own worker. Compares
the percentiles of both in each round. The server has upgraded a small process before: it compiles each
statement once in its life. Run: python -m bench.reads_during_upgrade [instances] [rounds] [idle seconds]
"""

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most, compared, percentile
from bench.population import PROCESS, SMALL_PROCESS, add_admin_key, copied, populate
from bench.servers import uplift_on
from uplift.domain import ProcessKey

INSTANCE = "query One($id: UUID!) { instance(id: $id) { instanceId version status position } }"
UPGRADE = """
mutation All($input: UpgradeInstancesInput!) {
  upgradeInstances(input: $input) { upgrade { state workedSeconds total } userErrors { message } }
}
"""


class Client:
    """Sends requests over one keep-alive connection, each as one packet, so that none waits for the next."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader = reader
        self._writer = writer
        self._key = key

    @classmethod
    async def connect(cls, port: int, key: str) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port), key)

    async def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables})
        head = (
            f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write((head + body).encode())
        answered = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        assert answered.startswith(b"http/1.1 200"), answered
        length = int(answered.partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = json.loads(await self._reader.readexactly(length))
        assert "errors" not in answer, answer
        return answer["data"]

    def close(self) -> None:
        self._writer.close()


async def read_for(
    client: Client, ids: list[str], until: asyncio.Event, seconds: float | None
) -> list[float]:
    """How long each read took, in seconds."""
    took: list[float] = []
    end = None if seconds is None else time.monotonic() + seconds
    while not until.is_set() and (end is None or time.monotonic() < end):
        began = time.perf_counter()
        await client.ask(INSTANCE, id=ids[len(took) % len(ids)])
        took.append(time.perf_counter() - began)
    return took


async def take_times(
    port: int, key: str, ids: list[str], idle_seconds: int
) -> tuple[list[float], list[float]]:
    """How long each read took at rest, and while an upgrade ran."""
    await upgrade(port, key, SMALL_PROCESS)
    reader = await Client.connect(port, key)
    idle = await read_for(reader, ids, asyncio.Event(), idle_seconds)
    ended = asyncio.Event()

    async def until_ended() -> Any:
        seen = await upgrade(port, key, PROCESS)
        ended.set()
        return seen

    busy, seen = await asyncio.gather(read_for(reader, ids, ended, None), until_ended())
    reader.close()
    print(f"upgraded: {json.dumps(seen)}")
    return idle, busy


def print_percentiles(idle: list[float], busy: list[float]) -> None:
    for name, took in (("at rest", idle), ("during the upgrade", busy)):
        print(
            f"{name:10} {len(took):6,} reads  "
            + "  ".join(f"p{p} {percentile(took, p) * 1e3:6.2f} ms" for p in (50, 99))
        )


async def upgrade(port: int, key: str, process: ProcessKey) -> Any:
    """Have all active instances of a process upgraded by the worker, and wait for it."""
    client = await Client.connect(port, key)
    fields = {"namespace": process.namespace, "code": process.code, "selection": {"allActive": {}}}
    done = (await client.ask(UPGRADE, input=fields))["upgradeInstances"]["upgrade"]
    client.close()
    assert done["state"] == "COMPLETED", done
    return done


def measure(count: int, rounds: int, idle_seconds: int) -> list[Figure]:
    taken: list[tuple[list[float], list[float]]] = []
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base.sqlite"
        waiting = asyncio.run(populate(base, count))
        key = asyncio.run(add_admin_key(base))
        ids = [str(instance_id) for instance_id in waiting[:: max(1, len(waiting) // 1_000)]]
        for _ in range(rounds):
            with uplift_on(copied(base, "served.sqlite")) as server:
                taken.append(asyncio.run(take_times(server.port, key, ids, idle_seconds)))
            print_percentiles(*taken[-1])
    p50, p99 = (
        [[percentile(times, percent) * 1e3 for times in pair] for pair in taken] for percent in (50, 99)
    )
    return [
        compared(
            what,
            [busy for _, busy in pairs],
            [idle for idle, _ in pairs],
            unit="ms",
            beside="at rest",
            target=target,
        )
        for what, pairs, target in (
            ("99th percentile of a read", p99, TARGET),
            ("median of a read", p50, None),
        )
    ]


TARGET = at_most("99th percentile of a read", 1.3)
BENCH = Bench(
    compares="the time of one `instance(id)` while an upgrade of 40 % of all instances runs, beside at rest",
    sizes={"instances": (1_000_000, 50_000), "rounds": (5, 1), "idle_seconds": (5, 1)},
    targets=(TARGET,),
    measure=measure,
)

if __name__ == "__main__":
    run_alone(BENCH)
