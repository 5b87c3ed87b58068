"""One HTTP request and its response, as an ASGI application sees them."""

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import Message, Scope
from structlog import get_logger

from uplift.gateway.server.connection import Connection
from uplift.gateway.server.response_head import Headers, response_head

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
        """Whether the head was written, so that no error can replace the response."""
        self.complete = False
        self._connection = connection
        self._scope = scope
        self._expects_continue = expects_continue
        self._on_end = on_end
        self._body = bytearray()
        self._reported_all = False
        self._gone = False
        self._news: asyncio.Event | None = None
        self._head: bytes | None = None
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
            self._notify()

    def end_body(self) -> None:
        self.received_all = True
        self._notify()

    def lose(self) -> None:
        """The client is gone."""
        self._gone = True
        self._notify()

    def run(self) -> None:
        """Let the application answer, in a task for which the server waits when it stops."""
        tasks = self._connection.server_state.tasks
        task = self._connection.loop.create_task(self._run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    # for the application

    async def receive(self) -> Message:
        if self._expects_continue and self._head is None and not self._ended:
            self._expects_continue = False
            self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not (self._body or self._ended or (self.received_all and not self._reported_all)):
            self._connection.resume_reading()
            if self._news is None:
                self._news = asyncio.Event()
            self._news.clear()
            await self._news.wait()
        if self._ended:
            return {"type": "http.disconnect"}
        body = bytes(self._body)
        self._body.clear()
        self._reported_all = self.received_all
        return {"type": "http.request", "body": body, "more_body": not self.received_all}

    async def send(self, message: Message) -> None:
        if self._gone:
            return
        kind, has_head = message["type"], self._head is not None
        if kind == "http.response.start" and not has_head:
            self._head = self._head_of(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and has_head and not self.complete:
            await self._send_body(message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"Expected the next message of a response, but got {kind!r}.")

    @property
    def _ended(self) -> bool:
        return self._gone or self.complete

    def _notify(self) -> None:
        """Wake the application if it waits. Most requests are complete before it asks, and need no event."""
        if self._news is not None:
            self._news.set()

    def _head_of(self, status: int, headers: Headers) -> bytes:
        """The head of the response, and what it says about the body and the connection."""
        lines = [*self._connection.server_state.default_headers, *headers]
        framing = []
        has_close = False
        self._remaining, self._chunked = None, False  # a head that was not sent may have set them
        for name, value in lines:
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
        return response_head(status, lines, *framing)

    async def _send_body(self, body: bytes, *, more: bool) -> None:
        if self._scope["method"] == "HEAD":
            body = b""
        if self._remaining is not None:
            self._remaining -= len(body)
            if self._remaining < 0 or (self._remaining > 0 and not more):
                raise RuntimeError(
                    f"Expected a body as long as announced, but it differs by {self._remaining}."
                )
        before = after = b""
        if self._chunked and body:
            before, after = b"%x\r\n" % len(body), b"\r\n"
        if self._chunked and not more:
            after += b"0\r\n\r\n"
        if not self.started:
            before = await self._begin(len(body)) + before
        if before or body or after:
            await self._connection.write_body(body, before=before, after=after)
        if not more:
            self._end()

    async def _begin(self, held: int) -> bytes:
        """The head, once the client has read most of earlier responses.

        Until then, `held` bytes count as waiting for the client. The head goes out with the first part of the
        body: a small response is one system call. ASGI requires this: until then an application that fails is
        answered by an error.
        """
        assert self._head is not None
        if self._connection.is_paused:
            with self._connection.holding(held):
                await self._connection.writable()
        self.started = True
        self._connection.begin_response(streams=self._remaining is None)
        return self._head

    def _end(self) -> None:
        if not self._ended:
            self.complete = True
            self._notify()
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
        self._head = self._head_of(500, headers)
        await self._send_body(FAILED, more=False)
