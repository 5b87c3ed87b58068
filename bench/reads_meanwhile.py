"""How much longer does a client wait for one instance while an upgrade runs?

A real server on a real file; one client asks `instance(id)` by GraphQL over a socket, again and again,
first at rest and then while 400,000 of 1,000,000 instances are upgraded by the server's own worker. Prints
the percentiles of both and the ratio of the 99th. The server has upgraded a small process before: it compiles
each statement once in its life. Run: python -m bench.reads_meanwhile [instances]
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

from bench.population import PROCESS, SMALL_PROCESS, add_admin_key, populate
from domain import ProcessKey

PORT = 8765
IDLE_SECONDS = 5.0
INSTANCE = "query One($id: UUID!) { instance(id: $id) { id version status position } }"
UPGRADE = """
mutation All($input: UpgradeInstancesInput!) {
  upgradeInstances(input: $input) { upgrade { id } userErrors { message } }
}
"""
STATE = "query State($id: UUID!) { upgrade(id: $id) { state workedSeconds total } }"


class Client:
    """Asks a gateway over one kept-alive connection; each request is one packet, so none waits."""

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


async def measure(key: str, ids: list[str]) -> None:
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
    for name, took in (("at rest", idle), ("meanwhile", busy)):
        print(
            f"{name:10} {len(took):6,} reads  "
            + "  ".join(f"p{p} {at(took, p) * 1e3:6.2f} ms" for p in (50, 99))
        )
    print(f"ratio of the 99th percentiles {at(busy, 99) / at(idle, 99):.2f}")


async def upgrade(key: str, process: ProcessKey) -> Any:
    """Have all active instances of a process upgraded by the worker; returns what the upgrade came to."""
    client = await Client.connect(key)
    asked = {
        "namespace": process.namespace,
        "code": process.code,
        "selection": {"allActive": {}},
        "wait": False,
    }
    begun = (await client.ask(UPGRADE, input=asked))["upgradeInstances"]["upgrade"]["id"]
    while (seen := (await client.ask(STATE, id=begun))["upgrade"])["state"] in ("QUEUED", "RUNNING"):
        await asyncio.sleep(0.2)
    client.close()
    return seen


def at(took: list[float], percent: int) -> float:
    """A percentile."""
    return sorted(took)[min(len(took) - 1, len(took) * percent // 100)]


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.sqlite"
        waiting = asyncio.run(populate(path, count))
        key = asyncio.run(add_admin_key(path))
        command = [sys.executable, "-m", "gateway.cli", "serve", "--port", str(PORT), "--log-level", "error"]
        server = subprocess.Popen([*command, "--database-url", f"sqlite:///{path}"])
        try:
            wait_for(f"http://127.0.0.1:{PORT}")
            asyncio.run(measure(key, [str(one) for one in waiting[:: max(1, len(waiting) // 1_000)]]))
        finally:
            server.terminate()
            server.wait()


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
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
