"""One HTTP request and its response, as an ASGI application sees them."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Message, Scope
from structlog import get_logger

from uplift.gateway.server.connection import Connection
from uplift.gateway.server.response_head import response_head

NO_BODY = frozenset({204, 304})
FAILED = b"Internal Server Error"


class Exchange:
    """One request and its response. `on_end` is called once the response is complete, or has failed."""

    def __init__(
        self,
        connection: Connection,
        scope: Scope,
        *,
        keep_alive: bool,
        expects_continue: bool,
        on_end: Callable[[], None],
    ) -> None:
        self.keep_alive = keep_alive
        self.received_all = False
        self.started = False
        self.complete = False
        self._connection = connection
        self._scope = scope
        self._expects_continue = expects_continue
        self._on_end = on_end
        self._body = bytearray()
        self._reported_all = False
        self._gone = False
        self._news = asyncio.Event()
        self._chunked = False
        self._remaining: int | None = None

    # for the handler

    @property
    def unread(self) -> int:
        """Bytes of the body that the application has not received."""
        return len(self._body)

    def add_body(self, data: bytes) -> None:
        if not self.complete:
            self._body += data
            self._news.set()

    def end_body(self) -> None:
        self.received_all = True
        self._news.set()

    def lose(self) -> None:
        """The client is gone."""
        self._gone = True
        self._news.set()

    def run(self) -> None:
        """Let the application answer, in a task for which the server waits when it stops."""
        tasks = self._connection.server_state.tasks
        task = self._connection.loop.create_task(self._run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    # for the application

    async def receive(self) -> Message:
        if self._expects_continue and not self.started and not self._ended:
            self._expects_continue = False
            self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not (self._body or self._ended or (self.received_all and not self._reported_all)):
            self._connection.resume_reading()
            self._news.clear()
            await self._news.wait()
        if self._ended:
            return {"type": "http.disconnect"}
        body = bytes(self._body)
        self._body.clear()
        self._reported_all = self.received_all
        return {"type": "http.request", "body": body, "more_body": not self.received_all}

    async def send(self, message: Message) -> None:
        await self._connection.writable()
        if self._gone:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.started:
            self._start(message["status"], list(message.get("headers", ())))
        elif kind == "http.response.body" and self.started and not self.complete:
            await self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"Expected the next message of a response, but got {kind!r}.")

    @property
    def _ended(self) -> bool:
        return self._gone or self.complete

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        framing = []
        has_close = False
        self._remaining, self._chunked = None, False  # a start that failed may have set them
        for name, value in headers:
            lowered = name.lower()
            if lowered == b"content-length":
                self._remaining = int(value)
            elif lowered == b"connection" and value.lower() == b"close":
                has_close = True
        if self._scope["method"] == "HEAD" or status in NO_BODY:
            self._remaining = 0
        elif self._remaining is None and self._scope["http_version"] == "1.0":
            self.keep_alive = False  # the end of the connection is the end of the body
        elif self._remaining is None:
            self._chunked = True
            framing.append(b"transfer-encoding: chunked\r\n")
        if not self.received_all:
            self.keep_alive = False  # the connection closes without reading the rest of the body
        if has_close:
            self.keep_alive = False
        elif not self.keep_alive:
            framing.append(b"connection: close\r\n")
        head = response_head(status, [*self._connection.server_state.default_headers, *headers], *framing)
        self.started = True
        self._connection.begin_response(streams=self._remaining is None)
        self._connection.write(head)

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._scope["method"] == "HEAD":
            body = b""
        if self._remaining is not None:
            self._remaining -= len(body)
            if self._remaining < 0 or (self._remaining > 0 and not more):
                raise RuntimeError(
                    f"Expected a body as long as announced, but it differs by {self._remaining}."
                )
        if self._chunked and body:
            self._connection.write(b"%x\r\n" % len(body))
            await self._connection.write_slowly(body)
            self._connection.write(b"\r\n")
        elif body:
            await self._connection.write_slowly(body)
        if not more:
            if self._chunked:
                self._connection.write(b"0\r\n\r\n")
            self._end()

    def _end(self) -> None:
        if not self._ended:
            self.complete = True
            self._news.set()
            self._on_end()

    async def _run(self) -> None:
        app: Any = self._connection.config.loaded_app
        try:
            await app(self._scope, self.receive, self.send)
        except BaseException as error:  # a cancellation too: the client must not wait for ever
            get_logger().error("the application failed", exc_info=error)
        if not self._ended:
            await self._fail()

    async def _fail(self) -> None:
        """End a response that the application did not complete."""
        if self.started:
            self._connection.abort()  # so that the client does not take a part for the whole
            return
        self.keep_alive = False
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(FAILED)),
        ]
        self._start(500, headers)
        await self._send_body(FAILED, more=False)
