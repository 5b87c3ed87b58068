"""Speaks WebSocket on a connection, after the upgrade: websockets reads and writes frames.

An application that has authenticated the caller reports it (`uplift.web.websocket_extension`). Until then a
client can make the server hold only a few KiB. Compression is never offered.
"""

import asyncio
from collections import deque
from typing import Any

from starlette.types import Message
from starlette.websockets import WebSocketDisconnect
from structlog import get_logger
from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side, State

from uplift.gateway.observability.refusals import ConnectionRefusal
from uplift.gateway.server.bounds import (
    CLOSE_SECONDS,
    MAX_UNAUTHENTICATED_SOCKET_BYTES,
    PING_SECONDS,
    SOCKET_READ_BYTES,
    WRITE_BUFFER_BYTES,
)
from uplift.gateway.server.connection import Connection
from uplift.gateway.server.protocol.websocket_handshake import Handshake
from uplift.gateway.server.response_head import response_head
from uplift.web.websocket_extension import AUTHENTICATED

NOT_SUMMED_BYTES = 64 * 1024
"""A connection that holds less is not closed when all WebSockets together hold too much."""


class ClientGoneError(OSError):
    """The client closed the connection. Starlette makes a disconnect of an OSError."""


class WebSocketHandler:
    """The WebSocket side of a connection."""

    read_bytes = SOCKET_READ_BYTES

    def __init__(self, connection: Connection, handshake: Handshake, rest: bytes) -> None:
        self._connection = connection
        self._handshake = handshake
        self._rest = rest
        self._frames = Protocol(Side.SERVER, state=State.OPEN, max_size=connection.bounds.message_bytes)
        self._is_connected = self._is_open = False
        self._denial: tuple[int, list[tuple[bytes, bytes]], bytearray] | None = None
        self._end: Message | None = None
        self._news = asyncio.Event()
        self._sending = asyncio.Lock()
        # What the client sent: whole messages, the begun message, and the begun frame inside websockets.
        self._messages: deque[str | bytes] = deque()
        self._message = bytearray()
        self._message_since: float | None = None
        self._is_text = True
        self._unread = self._unfinished = self._held = 0
        self._budget: int | None = MAX_UNAUTHENTICATED_SOCKET_BYTES
        self._control_frames = 0
        self._pinged_at = connection.loop.time()
        self._is_answered = True

    def start(self) -> None:
        """Let the application accept or deny the handshake."""
        self._connection.pause_reading()  # the client must wait for the answer
        tasks = self._connection.server_state.tasks
        task = self._connection.loop.create_task(self._run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    # Handler

    def received(self, data: memoryview) -> None:
        if self._budget is not None:
            self._budget -= len(data)
            if self._budget < 0:
                self._fail(
                    CloseCode.MESSAGE_TOO_BIG,
                    ConnectionRefusal.SOCKET_BYTES,
                    f"Expected at most {MAX_UNAUTHENTICATED_SOCKET_BYTES:,} bytes from an unknown caller.",
                )
                return
        self._frames.receive_data(bytes(data))
        frames = self._frames.events_received()
        for frame in frames:
            assert isinstance(frame, Frame)
            self._take(frame)
        # websockets holds a begun frame only. If a frame ended in this read, the next began in it too.
        self._unfinished = len(data) if frames else self._unfinished + len(data)
        self._hold(self._unread + len(self._message) + self._unfinished)
        self._flush()
        if self._end is None and (self._messages or self._connection.is_paused):
            self._connection.pause_reading()

    def lost(self) -> None:
        self._hold(0)
        self._finish(CloseCode.ABNORMAL_CLOSURE)

    def check(self, now: float) -> None:
        if not self._is_open or self._end is not None:
            return
        seconds = self._connection.bounds.message_seconds
        self._control_frames = 0
        if self._message_since is not None and now - self._message_since > seconds:
            self._fail(
                CloseCode.POLICY_VIOLATION,
                ConnectionRefusal.SOCKET_SILENT,
                f"Expected the whole message within {seconds:g} seconds.",
            )
        elif now - self._pinged_at > PING_SECONDS:
            self._ping(now)
        elif not self._messages and not self._connection.is_paused:
            self._connection.resume_reading()  # if it was paused until the client reads

    def shutdown(self) -> None:
        if self._is_open and self._end is None:
            self._frames.send_close(CloseCode.SERVICE_RESTART)
            self._flush()
        self._finish(CloseCode.SERVICE_RESTART)
        self._connection.close()

    # what the client sends

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            return  # `_flush` ends the connection
        if frame.opcode is Opcode.PONG:
            self._is_answered = True
        if frame.opcode in (Opcode.PING, Opcode.PONG) or not (frame.data or frame.fin):
            self._control_frames += 1
            if self._connection.connections.is_control_flood(self._control_frames):
                self._fail(
                    CloseCode.POLICY_VIOLATION,
                    ConnectionRefusal.SOCKET_FLOOD,
                    "Expected few pings and empty fragments, but got a flood.",
                )
        if frame.opcode in (Opcode.PING, Opcode.PONG):
            return
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
            self._message_since = self._connection.loop.time()
        self._message += frame.data
        if frame.fin:
            self._end_message()

    def _end_message(self) -> None:
        data = bytes(self._message)
        self._message.clear()
        self._message_since = None
        if self._end is not None:
            return
        try:
            self._messages.append(data.decode() if self._is_text else data)
        except UnicodeDecodeError:
            self._fail(
                CloseCode.INVALID_DATA, ConnectionRefusal.BAD_REQUEST, "Expected a text message in UTF-8."
            )
            return
        self._unread += len(data)
        self._news.set()

    def _hold(self, count: int) -> None:
        """Count the bytes held here, and refuse more when all WebSockets together hold too many."""
        connections = self._connection.connections
        connections.socket_bytes += count - self._held
        self._held = count
        if count > NOT_SUMMED_BYTES and connections.socket_bytes > connections.bounds.socket_bytes:
            self._fail(
                CloseCode.TRY_AGAIN_LATER,
                ConnectionRefusal.SOCKET_BYTES,
                "Expected all WebSockets together to send less; try later.",
            )

    def _ping(self, now: float) -> None:
        if not self._is_answered:
            self._fail(
                CloseCode.INTERNAL_ERROR, ConnectionRefusal.SOCKET_SILENT, "Expected a pong to each ping."
            )
            return
        self._pinged_at, self._is_answered = now, False
        self._frames.send_ping(b"")
        self._flush()

    # ends

    def _fail(self, code: CloseCode, reason: ConnectionRefusal, why: str) -> None:
        if self._end is None:
            self._connection.note(reason, why)
            self._frames.fail(code, why)
            self._flush()

    def _flush(self) -> None:
        """Write what websockets has to send. An empty piece is its sign to end the connection."""
        for data in self._frames.data_to_send():
            if data:
                self._connection.write(data)
                continue
            close = self._frames.close_rcvd or self._frames.close_sent
            self._finish(close.code if close else CloseCode.ABNORMAL_CLOSURE)
            if self._frames.close_rcvd:
                self._connection.close()
            else:
                self._connection.close_unread()

    def _finish(self, code: int, reason: str = "") -> None:
        if self._end is None:
            self._end = {"type": "websocket.disconnect", "code": int(code), "reason": reason}
            self._news.set()

    # for the application

    async def _run(self) -> None:
        app: Any = self._connection.config.loaded_app
        try:
            await app(self._handshake.scope, self.receive, self.send)
        except (ClientGoneError, WebSocketDisconnect):
            return  # a client may leave at any time
        except BaseException as error:  # a cancellation too: the client must not wait for ever
            get_logger().error("the application failed", exc_info=error)
        if self._end is not None:
            return
        if self._is_open:
            self._frames.fail(CloseCode.INTERNAL_ERROR)
            self._flush()
        else:
            self._deny(500, [], b"Internal Server Error")

    async def receive(self) -> Message:
        if not self._is_connected:
            self._is_connected = True
            return {"type": "websocket.connect"}
        while not self._messages and self._end is None:
            if not self._connection.is_paused:
                self._connection.resume_reading()
            self._news.clear()
            await self._news.wait()
        if not self._messages:
            assert self._end is not None
            return self._end
        message = self._messages.popleft()
        if not self._messages:
            self._unread = 0
            self._hold(len(self._message) + self._unfinished)
        return {"type": "websocket.receive", "text" if isinstance(message, str) else "bytes": message}

    async def send(self, message: Message) -> None:
        if message["type"] == AUTHENTICATED:
            self._budget = None
            return
        size = len(message.get("text") or message.get("bytes") or "")
        with self._connection.holding(size):
            async with self._sending:  # else several operations could each write when the client has read
                await self._connection.writable()
                if self._end is not None:
                    raise ClientGoneError
                if not self._is_open:
                    self._answer(message)
                    return
                self._send_frame(message)
                if size > WRITE_BUFFER_BYTES:
                    await self._connection.writable()  # it counts until most of it is read

    def _send_frame(self, message: Message) -> None:
        try:
            if message["type"] == "websocket.send":
                if message.get("text") is not None:
                    self._frames.send_text(message["text"].encode())
                else:
                    self._frames.send_binary(message["bytes"])
                self._flush()
            elif message["type"] == "websocket.close":
                self._close(message.get("code", CloseCode.NORMAL_CLOSURE), message.get("reason") or "")
            else:
                raise RuntimeError(f"Expected a message of an open WebSocket, but got {message['type']!r}.")
        except InvalidState as error:
            raise ClientGoneError from error

    def _close(self, code: int, reason: str) -> None:
        self._frames.send_close(code, reason)
        self._flush()
        self._finish(code, reason)
        # The client may have been sending. Its close frame is awaited, within the first bound and a time.
        self._budget = MAX_UNAUTHENTICATED_SOCKET_BYTES
        self._connection.close_within(CLOSE_SECONDS)
        self._connection.resume_reading()

    def _answer(self, message: Message) -> None:
        """Answer the handshake."""
        if message["type"] == "websocket.accept":
            self._accept(message.get("subprotocol"), list(message.get("headers", ())))
        elif message["type"] == "websocket.close":
            self._deny(403, [], b"")
        elif message["type"] == "websocket.http.response.start":
            self._denial = message["status"], list(message.get("headers", ())), bytearray()
        elif message["type"] == "websocket.http.response.body" and self._denial:
            status, headers, body = self._denial
            body += message.get("body", b"")
            if not message.get("more_body", False):
                self._deny(status, headers, bytes(body))
        else:
            raise RuntimeError(f"Expected an answer to a handshake, but got {message['type']!r}.")

    def _accept(self, subprotocol: str | None, headers: list[tuple[bytes, bytes]]) -> None:
        headers += [
            *self._connection.server_state.default_headers,
            (b"upgrade", b"websocket"),
            (b"connection", b"Upgrade"),
            (b"sec-websocket-accept", self._handshake.accept),
        ]
        if subprotocol is not None:
            headers.append((b"sec-websocket-protocol", subprotocol.encode("ascii")))
        self._connection.begin_response(streams=True)
        self._connection.write(response_head(101, headers))
        self._is_open, self._pinged_at = True, self._connection.loop.time()
        self._connection.resume_reading()
        if self._rest:
            self.received(memoryview(self._rest))

    def _deny(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        headers = [
            *self._connection.server_state.default_headers,
            *((name, value) for name, value in headers if name.lower() != b"content-length"),
        ]
        framing = b"content-length: %d\r\nconnection: close\r\n" % len(body)
        self._connection.write(response_head(status, headers, framing) + body)
        self._finish(CloseCode.ABNORMAL_CLOSURE)
        self._connection.close_unread()
