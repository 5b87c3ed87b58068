"""How are operations run over a WebSocket?

By the graphql-transport-ws protocol, whose states strawberry's handler keeps. Its view, adapter and schema
are replaced by ours, so that operations run as they do over HTTP: known documents, limits, masking. The
caller is identified at `connection_init` and again for each operation, so that a revoked key starts nothing.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, cast

import msgspec
from graphql import GraphQLError
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.async_base_view import AsyncWebSocketAdapter
from strawberry.http.exceptions import (
    NonJsonMessageReceived,
    NonTextMessageReceived,
    WebSocketDisconnected,
)
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.unset import UNSET

from uplift.domain.errors import Forbidden, StoreUnavailable, TooManyRequests, Unauthenticated, UpliftError
from uplift.graphql_api.engine.documents import RefusedDocumentError
from uplift.graphql_api.engine.errors import (
    RequestCode,
    log_outage,
    presentable,
    refusal,
    request_error,
    unexpected,
)
from uplift.graphql_api.engine.execution import Operations, Params, is_request_error
from uplift.graphql_api.engine.limits import Limits
from uplift.graphql_api.engine.origins import Origins

ContextFor = Callable[[Mapping[str, str]], Awaitable[object]]

_LONGEST_REASON = 120
"""A close frame holds 123 bytes of reason."""


class Sockets:
    """The WebSockets of one endpoint."""

    def __init__(
        self,
        operations: Operations,
        context_for: ContextFor,
        recheck: ContextFor,
        origins: Origins,
        limits: Limits,
    ) -> None:
        self._operations = operations
        self._context_for = context_for
        self._recheck = recheck
        self._origins = origins
        self._limits = limits
        self._open = 0

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Talk to one client until either side closes."""
        socket = WebSocket(scope, receive, send)
        if not self._origins.allow(socket.headers):
            await _deny(socket, 403, RequestCode.FORBIDDEN_ORIGIN, "Expected a page of an allowed origin.")
            return
        if self._open >= self._limits.max_sockets:
            await _deny(socket, 503, RequestCode.LIMIT_EXCEEDED, "Expected fewer open WebSockets; try later.")
            return
        self._open += 1
        try:
            await self._talk(socket)
        finally:
            self._open -= 1

    async def _talk(self, socket: WebSocket) -> None:
        if GRAPHQL_TRANSPORT_WS_PROTOCOL not in socket.scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, "Subprotocol not acceptable")
            return
        await socket.accept(GRAPHQL_TRANSPORT_WS_PROTOCOL)
        adapter = _Adapter(socket, self._limits.max_body_bytes)
        session = _Session(self._operations, self._context_for, self._recheck, socket.headers)
        handler = _Handler(
            view=cast("Any", session),
            websocket=adapter,
            context={},
            root_value=None,
            schema=cast("Any", session),
            connection_init_wait_timeout=timedelta(seconds=self._limits.socket_init_seconds),
            max_subscriptions_per_connection=self._limits.max_operations_per_socket,
        )
        try:
            await handler.handle()
        except (StoreUnavailable, TooManyRequests) as error:
            log_outage(error)
            await adapter.close(1013, "Try again later")
        except Exception as error:
            unexpected(error)
            await adapter.close(1011, "Unexpected error")


class _Session:
    """One connection's caller and operations: what the handler asks of its view and its schema."""

    def __init__(
        self,
        operations: Operations,
        context_for: ContextFor,
        recheck: ContextFor,
        handshake: Mapping[str, str],
    ) -> None:
        self._operations = operations
        self._context_for = context_for
        self._recheck = recheck
        self._headers = dict(handshake)

    async def on_ws_connect(self, init: dict[str, Any]) -> object:
        """Identify the caller by the handshake's headers or by `connection_init`, which wins."""
        payload: dict[str, object] = init["connection_params"]
        given = payload.get("Authorization", payload.get("authorization"))
        if isinstance(given, str):
            self._headers["authorization"] = given
        try:
            await self._context_for(self._headers)
        except (Unauthenticated, Forbidden):
            raise ConnectionRejectionError from None
        return UNSET

    async def stream(
        self,
        query: str,
        *,
        variable_values: dict[str, Any] | None,
        operation_name: str | None,
        **_: object,
    ) -> AsyncGenerator[ExecutionResult, None]:
        """The results of one operation, ready to be sent."""
        return self._results(Params(query=query, variables=variable_values, operation_name=operation_name))

    async def _results(self, params: Params) -> AsyncGenerator[ExecutionResult, None]:
        try:
            context = await self._context_for(self._headers)
            document = self._operations.documents.find(params.query)
        except (RefusedDocumentError, UpliftError) as error:
            yield PreExecutionError(data=None, errors=_errors(error))
            return
        except Exception as error:
            message, extensions = unexpected(error)
            yield PreExecutionError(data=None, errors=[GraphQLError(message, extensions=extensions)])
            return
        recheck = partial(self._recheck, self._headers)
        async for result in self._operations.results(document, params, context, recheck):
            kind = PreExecutionError if is_request_error(result) else ExecutionResult
            yield kind(data=result.data, errors=[presentable(error) for error in result.errors or ()])


class _Handler(BaseGraphQLTransportWSHandler[Any, None]):
    """strawberry's handler, which trusts that messages have the shape the protocol gives them."""

    async def handle_message(self, message: Any) -> None:
        if not isinstance(message, dict) or not isinstance(message.get("id", ""), str):
            await self.handle_invalid_message("Failed to parse message")
            return
        if message.get("type") == "subscribe":
            try:
                msgspec.convert(message.get("payload"), Params)
            except msgspec.ValidationError as error:
                await self.handle_invalid_message(f"Invalid subscribe payload: {error}")
                return
        await super().handle_message(cast("Any", message))


class _Adapter(AsyncWebSocketAdapter):
    """Starlette's WebSocket as the handler sees it."""

    def __init__(self, socket: WebSocket, max_message_bytes: int) -> None:
        self._socket = socket
        self._max_message_bytes = max_message_bytes

    async def iter_json(self, **_: object) -> AsyncGenerator[object, None]:
        while True:
            try:
                text = await self._socket.receive_text()
            except KeyError as error:
                raise NonTextMessageReceived from error
            except (WebSocketDisconnect, RuntimeError):  # closed by the client, or before by us
                return
            if len(text.encode()) > self._max_message_bytes:
                await self.close(1009, "Message too big")
                return
            try:
                yield json.loads(text)
            except (ValueError, RecursionError) as error:
                raise NonJsonMessageReceived from error

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            await self._socket.send_text(msgspec.json.encode(message).decode())
        except (WebSocketDisconnect, RuntimeError) as error:
            raise WebSocketDisconnected from error

    async def close(self, code: int, reason: str) -> None:
        await self._socket.close(code, reason.encode()[:_LONGEST_REASON].decode(errors="ignore"))


def _errors(error: RefusedDocumentError | UpliftError) -> list[GraphQLError]:
    return error.errors if isinstance(error, RefusedDocumentError) else [refusal(error)]


async def _deny(socket: WebSocket, status: int, code: RequestCode, message: str) -> None:
    errors = [request_error(code, message).formatted]
    await socket.send_denial_response(JSONResponse({"errors": errors}, status))
