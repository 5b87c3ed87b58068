"""A server on a real socket that answers each request with the bytes that a test wants."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[Received, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class ScriptedServer:
    """The server: where it is, and what it has received."""

    url: str
    received: list[Received] = field(default_factory=list)


def reply(
    body: bytes | str = b"", status: int = 200, content_type: str = "application/json", **headers: str
) -> bytes:
    """A whole reply; `_` in the name of a header stands for a hyphen."""
    content = body if isinstance(body, bytes) else body.encode()
    lines = [f"HTTP/1.1 {status} Status", f"content-type: {content_type}", f"content-length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join((*lines, "", "")).encode() + content


def in_json(body: object, status: int = 200, **headers: str) -> bytes:
    """A whole reply in JSON."""
    return reply(json.dumps(body), status, **headers)


def error(message: str, status: int = 500, kind: str = "ProcessEngineException", **fields: object) -> bytes:
    """A reply with an error, in the form of Camunda 7."""
    return in_json({"type": kind, "message": message, "code": 0, **fields}, status)


@asynccontextmanager
async def served(answer: Answer | bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[ScriptedServer]:
    """Runs a server that answers all requests by a function, or with the same bytes."""
    received: list[Received] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await _request(reader)
                received.append(request)
                if isinstance(answer, bytes):
                    writer.write(answer)
                else:
                    await answer(request, writer)
                await writer.drain()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        try:
            await serve(reader, writer)
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            writer.close()

    tasks: list[asyncio.Task[Any] | None] = []
    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield ScriptedServer(url=f"http://127.0.0.1:{port}/engine-rest", received=received)
    finally:
        server.close()
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method=method, path=path, headers=headers, body=body)
