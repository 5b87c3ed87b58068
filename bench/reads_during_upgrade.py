"""Times reads of one instance while an upgrade runs, against reads at rest.

A real server on a real file; one client queries `instance(id)` by GraphQL over a socket, again and again,
first at rest and then while 400,000 of 1,000,000 instances are upgraded by the server's own worker. Prints
the percentiles of both and the ratio of the 99th, in each round and in all together. The server has upgraded
a small process before: it compiles each statement once in its life.
Run: python -m bench.reads_during_upgrade [instances] [rounds]
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

from bench.population import PROCESS, SMALL_PROCESS, add_admin_key, copied, populate
from uplift.domain import ProcessKey

PORT = 8765
IDLE_SECONDS = 5.0
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
    async def connect(cls, key: str) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", PORT), key)

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


async def measure(key: str, ids: list[str]) -> tuple[list[float], list[float]]:
    """How long each read took at rest, and while an upgrade ran."""
    await upgrade(key, SMALL_PROCESS)
    reader = await Client.connect(key)
    idle = await read_for(reader, ids, asyncio.Event(), IDLE_SECONDS)
    ended = asyncio.Event()

    async def until_ended() -> Any:
        seen = await upgrade(key, PROCESS)
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
            + "  ".join(f"p{p} {at(took, p) * 1e3:6.2f} ms" for p in (50, 99))
        )
    print(f"ratio of the 99th percentiles {at(busy, 99) / at(idle, 99):.2f}")


async def upgrade(key: str, process: ProcessKey) -> Any:
    """Have all active instances of a process upgraded by the worker, and wait for it."""
    client = await Client.connect(key)
    fields = {"namespace": process.namespace, "code": process.code, "selection": {"allActive": {}}}
    done = (await client.ask(UPGRADE, input=fields))["upgradeInstances"]["upgrade"]
    client.close()
    assert done["state"] == "COMPLETED", done
    return done


def at(took: list[float], percent: int) -> float:
    """The percentile of the times."""
    return sorted(took)[min(len(took) - 1, len(took) * percent // 100)]


def main(count: int, rounds: int) -> None:
    idle: list[float] = []
    busy: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "base.sqlite"
        waiting = asyncio.run(populate(base, count))
        key = asyncio.run(add_admin_key(base))
        ids = [str(instance_id) for instance_id in waiting[:: max(1, len(waiting) // 1_000)]]
        command = [
            str(Path(sys.executable).with_name("uplift")),
            "serve",
            "--port",
            str(PORT),
            "--log-level",
            "error",
        ]
        for _ in range(rounds):
            path = copied(base, "served.sqlite")
            server = subprocess.Popen([*command, "--database-url", f"sqlite:///{path}"])
            try:
                wait_for(f"http://127.0.0.1:{PORT}")
                at_rest, during = asyncio.run(measure(key, ids))
            finally:
                server.terminate()
                server.wait()
            print_percentiles(at_rest, during)
            idle += at_rest
            busy += during
    print("all rounds:")
    print_percentiles(idle, busy)


def wait_for(url: str) -> None:
    """Return when the server answers."""
    for _ in range(100):
        try:
            urllib.request.urlopen(f"{url}/healthz")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[1:]]
    main(*arguments, *(1_000_000, 5)[len(arguments) :])
