"""One client connection: reads in bounded pieces, writes no faster than its client reads, and closes."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

import uvicorn
from uvicorn.server import ServerState

from uplift.gateway.observability.refusals import ConnectionRefusal
from uplift.gateway.server.bounds import CLOSE_SECONDS, READ_BYTES, WRITE_BUFFER_BYTES
from uplift.gateway.server.connections import Connections
from uplift.gateway.server.response_head import plain_response

Address = tuple[str, int] | None


class Handler(Protocol):
    """What a connection speaks: HTTP, or WebSocket after an upgrade."""

    read_bytes: int

    def received(self, data: memoryview) -> None:
        """Handle bytes. They are valid during this call only."""

    def lost(self) -> None:
        """The connection is closed."""

    def check(self, now: float) -> None:
        """End the connection if its client is too slow."""

    def shutdown(self) -> None:
        """End the connection when its current response is complete."""


class Connection(asyncio.BufferedProtocol):
    """A client connection, made for each by `uvicorn.Server`."""

    def __init__(
        self,
        connections: Connections,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        first_handler: Callable[["Connection"], Handler],
    ) -> None:
        self.connections = connections
        self.bounds = connections.bounds
        self.config = config
        self.server_state = server_state
        self.app_state = app_state
        self.loop = asyncio.get_running_loop()
        self.client: Address = None
        self.server: Address = None
        self.gone = False
        """Nobody reads or writes here any longer."""
        self._has_written_all = False
        self._first_handler = first_handler
        self._handler: Handler | None = None
        self._transport: asyncio.Transport
        self._buffer = _BUFFER
        self._ends_at: float | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._paused_at: float | None = None
        self._waited = 0.0
        self._streams = False

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self.client = _address(transport.get_extra_info("peername"))
        self.server = _address(transport.get_extra_info("sockname"))
        # uvicorn asks these to shut down, and waits for them. It knows its own classes only.
        self.server_state.connections.add(self)  # type: ignore[arg-type]
        refused = self.connections.admit(self, self.client[0] if self.client else None)
        if refused:
            self.note(*refused)
            self._transport.write(plain_response(503, "The server has too many connections; try later."))
            self._end(CLOSE_SECONDS)
            self._transport.close()
        else:
            self.switch(self._first_handler(self))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # asyncio names it
        """The buffer to read into. All connections share it: a read is handled before the next one begins."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._handler:
            self._handler.received(_BUFFER[:nbytes])
        elif self.connections.drops_too_much(nbytes):
            self.pause_reading()  # until the next check

    def eof_received(self) -> None:
        """A client that closes its side is gone: returning None makes the transport close the other side."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio names it
        self.gone = self._has_written_all = True
        self.connections.remove(self)
        self.server_state.connections.discard(self)
        self._paused_at = None
        self._writable.set()
        handler, self._handler = self._handler, None
        if handler:
            handler.lost()

    def pause_writing(self) -> None:
        self._paused_at = self.loop.time()
        self._writable.clear()

    def resume_writing(self) -> None:
        if self._paused_at is not None and not self._streams:
            self._waited += self.loop.time() - self._paused_at
        self._paused_at = None
        self._writable.set()

    # for handlers

    def switch(self, handler: Handler) -> None:
        """Let another handler speak from now on."""
        self._handler = handler
        self._buffer = _BUFFER[: handler.read_bytes]

    def pause_reading(self) -> None:
        if not self.gone:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self.gone:
            self._transport.resume_reading()

    def begin_response(self, *, streams: bool) -> None:
        """Start to count the seconds that the client keeps this response waiting.

        One that streams has no known end, so each of its pieces has the time of a whole response.
        """
        self._waited, self._streams = 0.0, streams

    def write(self, data: bytes | memoryview) -> None:
        """Write without waiting."""
        if not self._has_written_all:
            self._transport.write(data)

    async def write_body(self, data: bytes, *, before: bytes, after: bytes) -> None:
        """Write in pieces, each once the client has read most of what was written before.

        `before` and `after` are the few bytes around it. What fits into one piece is one write, and does not
        wait: it costs one system call.
        """
        if self._paused_at is None and len(data) <= WRITE_BUFFER_BYTES:
            self.write(before + data + after)
            return
        with self.holding(len(data)):
            await self.writable()
            self.write(before)
            rest = memoryview(data)
            while rest and not self._has_written_all:
                await self.writable()
                self.write(rest[:WRITE_BUFFER_BYTES])
                rest = rest[WRITE_BUFFER_BYTES:]
            self.write(after)

    def holding(self, count: int) -> AbstractContextManager[None]:
        """Counts bytes that wait for the client while the block runs."""
        return self.connections.unread.held(self, count)

    async def writable(self) -> None:
        """Wait until the client has read most of what was written."""
        if self._paused_at is not None:
            await self._writable.wait()

    @property
    def is_paused(self) -> bool:
        """Whether the client has not read most of what was written."""
        return self._paused_at is not None

    def waited(self, now: float) -> float:
        """Seconds that the present response has waited for its client; 0 while the client reads."""
        return 0.0 if self._paused_at is None else self._waited + now - self._paused_at

    def close(self) -> None:
        """Send what is buffered, then close."""
        self._end(CLOSE_SECONDS)
        self._transport.close()

    def close_unread(self) -> None:
        """Send what is buffered, then close, although the client may still be sending.

        It drops what arrives until the client closes its side, or a time has passed: closing at once would
        reset the connection, and the client could lose the response.
        """
        if self.gone or self._ends_at is not None:
            return
        self._end(CLOSE_SECONDS)
        if self._handler:
            self._handler.lost()
        self._handler, self._buffer = None, _BUFFER
        self.resume_reading()
        self._has_written_all = True
        self._transport.write_eof()

    def close_within(self, seconds: float) -> None:
        """Close in this time, unless the handler does earlier."""
        self._end(seconds)

    def refuse(self, reason: ConnectionRefusal, status: int, message: str) -> None:
        """Answer with this status and close."""
        self.note(reason, message)
        self.write(plain_response(status, message))
        self.close_unread()

    def cut_off(self, reason: ConnectionRefusal, message: str) -> None:
        """Close, and drop what is not sent."""
        self.note(reason, message)
        self.abort()

    # for the watch and the server

    def check(self, now: float) -> None:
        if self.waited(now) > self.bounds.send_seconds:
            self.cut_off(
                ConnectionRefusal.SLOW_READER,
                f"Expected the client to read within {self.bounds.send_seconds:g} seconds, but it did not.",
            )
        elif self._ends_at is not None:
            # A response that is written but not read has its own time, above or here.
            unsent = self._transport.get_write_buffer_size() > 0
            if now >= self._ends_at + (self.bounds.send_seconds if unsent else 0.0):
                if unsent:
                    self.note(
                        ConnectionRefusal.SLOW_READER,
                        "Expected the client to read the response, but it did not.",
                    )
                self.abort()
            elif not self._handler:
                self.resume_reading()
        elif self._handler:
            self._handler.check(now)

    def abort(self) -> None:
        self._transport.abort()

    def shutdown(self) -> None:
        """Called by uvicorn when the server stops."""
        if self._handler:
            self._handler.shutdown()
        elif not self.gone:
            self._transport.close()

    def _end(self, seconds: float) -> None:
        if self._ends_at is None:
            self._ends_at = self.loop.time() + seconds

    def note(self, reason: ConnectionRefusal, message: str) -> None:
        """Count and log a refusal."""
        host = self.client[0] if self.client else None
        self.connections.refusals.note(reason, message, client=host, now=self.loop.time())


_BUFFER = memoryview(bytearray(READ_BYTES))


def _address(name: object) -> Address:
    """The host and port of a socket's name; None for other kinds of sockets."""
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
