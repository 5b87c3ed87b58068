"""The messages of a WebSocket: strawberry's handler of graphql-transport-ws, on Starlette's WebSocket.

It adds what the handler takes for granted: messages of the right shape, and of bounded size, in sum too.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Hashable, Mapping
from contextlib import suppress
from typing import Any, cast

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.http.async_base_view import AsyncWebSocketAdapter
from strawberry.http.exceptions import NonJsonMessageReceived, NonTextMessageReceived
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler

from uplift.graphql_api.engine.errors import refused_request
from uplift.graphql_api.engine.execution import Params
from uplift.web.errors import RequestError
from uplift.web.json_limits import require_few_values
from uplift.web.large_requests import INLINE_BYTES, read_large
from uplift.web.request_memory import HeldRequest

_MAX_REASON_BYTES = 120
"""A close frame has room for 123 bytes of reason (RFC 6455, section 5.5)."""
_MESSAGE_TOO_BIG = 1009
_POLICY_VIOLATION = 1008
_WINDOW_SECONDS = 0.25
_MESSAGES_OF_SOCKET = 64
"""The most messages of one WebSocket in the window."""
_MESSAGES_OF_CALLER = 256
"""The most messages of all WebSockets of one caller in the window."""
_FEW_MESSAGES = 4
"""A WebSocket with no more messages in the window is never closed for those of others."""
_decode = msgspec.json.decode
"""The parser of HTTP bodies: that of the standard library also takes NaN, and half of a surrogate pair, which
no reply could contain."""


class MessageRate:
    """Bounds the messages that begin no operation: pings, pongs, and `complete` of what is not running.

    Each costs a tenth of a millisecond. They are bounded for each WebSocket and for all of one caller.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._since = 0.0
        self._counts: Counter[Hashable] = Counter()

    def is_flood(self, socket: Hashable, caller: Hashable) -> bool:
        """Count a message. Whether this WebSocket has sent too many of late."""
        now = self._monotonic()
        if now - self._since > _WINDOW_SECONDS:
            self._since = now
            self._counts.clear()
        own, of_caller = ("socket", socket), ("caller", caller)
        self._counts.update((own, of_caller))
        if self._counts[of_caller] > _MESSAGES_OF_CALLER and self._counts[own] > _FEW_MESSAGES:
            return True
        return self._counts[own] > _MESSAGES_OF_SOCKET


class ProtocolHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """strawberry's handler with a check of the shape and size of messages.

    `held` begins to count an operation: it counts until the operation has ended. `is_flood` counts any other
    message, and says whether there are too many.
    """

    def __init__(
        self,
        *,
        websocket: "SocketAdapter",
        held: Callable[[], HeldRequest],
        is_flood: Callable[[], bool],
        **others: Any,
    ) -> None:
        super().__init__(websocket=websocket, **others)
        self._adapter = websocket
        self._begin_to_hold = held
        self._is_flood = is_flood

    async def handle_message(self, message: Any) -> None:
        if not isinstance(message, dict) or not isinstance(message.get("id", ""), str):
            await self.handle_invalid_message("Failed to parse message")
            return
        if message.get("type") == "connection_init" and message.get("payload") is None:
            message.pop("payload", None)  # many clients send null, but the handler accepts only objects
        try:
            if message.get("type") == "subscribe":
                await self._subscribe(message)
            elif message.get("id") not in self.operations and self._is_flood():
                await self._adapter.close(_POLICY_VIOLATION, "Expected few pings and pongs, but got a flood.")
            else:
                await super().handle_message(cast("Any", message))
        finally:
            # The loop of strawberry refers to the message until the next one arrives, which may be never.
            message.clear()

    async def _subscribe(self, message: dict[str, Any]) -> None:
        try:
            msgspec.convert(message.get("payload"), Params)
        except msgspec.ValidationError as error:
            await self.handle_invalid_message(f"Invalid subscribe payload: {error}")
            return
        held = self._begin_to_hold()
        try:
            held.add_bytes(self._adapter.message_bytes)
            await held.add_values(self._adapter.message_values)
        except RequestError as refused:
            held.release()
            errors = [refused_request(refused).formatted]
            refusal = {"id": message.get("id"), "type": "error", "payload": errors}
            await self.send_message(cast("Any", refusal))
            return
        await super().handle_message(cast("Any", message))
        operation = self.operations.get(message.get("id", ""))
        if operation is None or operation.task is None:
            held.release()
        else:
            operation.task.add_done_callback(lambda _: held.release())


class SocketAdapter(AsyncWebSocketAdapter):
    """Starlette's WebSocket behind the interface that the handler uses."""

    def __init__(self, socket: WebSocket, max_message_bytes: int) -> None:
        self._socket = socket
        self._max_message_bytes = max_message_bytes
        self.message_bytes = self.message_values = 0
        """The size of the message that is handled now."""

    async def iter_json(self, **_: object) -> AsyncGenerator[object, None]:
        while True:
            try:
                text = await self._socket.receive_text()
            except KeyError as error:  # a binary message has no text
                raise NonTextMessageReceived from error
            except (WebSocketDisconnect, RuntimeError):  # RuntimeError: the server has closed it already
                return
            encoded = text.encode()
            del text
            try:
                self.message_values = require_few_values(encoded)
            except RequestError as refused:
                await self.close(_MESSAGE_TOO_BIG, refused.message)
                return
            self.message_bytes = len(encoded)
            if self.message_bytes > self._max_message_bytes:
                await self.close(_MESSAGE_TOO_BIG, "Message too big")
                return
            is_large = self.message_bytes > INLINE_BYTES
            try:
                message = await read_large(_decode, encoded) if is_large else _decode(encoded)
            except (ValueError, RecursionError) as error:
                raise NonJsonMessageReceived from error
            del encoded
            yield message
            del message
            # Many messages may have arrived at once. Others get their turn after each.
            await asyncio.sleep(0)

    async def send_json(self, message: Mapping[str, object]) -> None:
        # `iter_json` ends the session of a client that is gone. An error here would end the task of an
        # operation, and asyncio would log it.
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._socket.send_text(msgspec.json.encode(message).decode())

    async def close(self, code: int, reason: str) -> None:
        with suppress(WebSocketDisconnect, RuntimeError):  # the client is gone, or it is closed already
            await self._socket.close(code, reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore"))
