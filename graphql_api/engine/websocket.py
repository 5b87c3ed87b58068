"""Serves operations over WebSockets by the graphql-transport-ws protocol.

strawberry's handler keeps the states of the protocol. Its view, adapter and schema are replaced, so that
operations run as they do over HTTP: cached documents, limits, masking. The caller is identified at
`connection_init` and again for each operation, so that a revoked key starts nothing.
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
from uplift.graphql_api.engine.documents import DocumentError
from uplift.graphql_api.engine.errors import domain_error, presentable, request_error, unexpected_error
from uplift.graphql_api.engine.execution import Operations, Params, is_request_error
from uplift.graphql_api.engine.limits import Limits
from uplift.web.errors import HttpCode
from uplift.web.incidents import log_outage
from uplift.web.origins import Origins
from uplift.web.websocket_extension import report_authenticated

ContextFor = Callable[[Mapping[str, str]], Awaitable[object]]

_MAX_REASON_BYTES = 120
"""A close frame has room for 123 bytes of reason (RFC 6455, section 5.5)."""


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
        """Serves one connection until either side closes it."""
        socket = WebSocket(scope, receive, send)
        # Browsers do not apply CORS to WebSockets; without this check any page could open one.
        if not self._origins.allow(socket.headers, scheme=scope.get("scheme", "http")):
            await _deny(socket, 403, HttpCode.FORBIDDEN_ORIGIN, "Expected a page of an allowed origin.")
            return
        if self._open >= self._limits.max_sockets:
            await _deny(socket, 503, HttpCode.LIMIT_EXCEEDED, "Expected fewer open WebSockets; try later.")
            return
        self._open += 1
        try:
            await self._serve_accepted(socket, send)
        finally:
            self._open -= 1

    async def _serve_accepted(self, socket: WebSocket, send: Send) -> None:
        if GRAPHQL_TRANSPORT_WS_PROTOCOL not in socket.scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, "Subprotocol not acceptable")
            return
        await socket.accept(GRAPHQL_TRANSPORT_WS_PROTOCOL)
        adapter = _Adapter(socket, self._limits.max_body_bytes)
        report = partial(report_authenticated, socket.scope, send)
        session = _Session(self._operations, self._context_for, self._recheck, report, socket.headers)
        # Typed as strawberry's own view and schema, of which the handler only calls on_ws_connect and stream.
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
            unexpected_error(error)
            await adapter.close(1011, "Unexpected error")


class _Session:
    """The caller and operations of one connection, in place of the handler's view and schema."""

    def __init__(
        self,
        operations: Operations,
        context_for: ContextFor,
        recheck: ContextFor,
        report: Callable[[], Awaitable[None]],
        handshake: Mapping[str, str],
    ) -> None:
        self._operations = operations
        self._context_for = context_for
        self._recheck = recheck
        self._report = report
        self._headers = dict(handshake)

    async def on_ws_connect(self, init: dict[str, Any]) -> object:
        """Identifies the caller by `connection_init`, else by the headers of the handshake."""
        payload: dict[str, object] = init["connection_params"]
        authorization = payload.get("Authorization", payload.get("authorization"))
        if isinstance(authorization, str):
            self._headers["authorization"] = authorization
        try:
            await self._context_for(self._headers)
        except (Unauthenticated, Forbidden):
            raise ConnectionRejectionError from None
        await self._report()
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
        except (DocumentError, UpliftError) as error:
            yield PreExecutionError(data=None, errors=_errors(error))
            return
        except Exception as error:
            yield PreExecutionError(data=None, errors=[unexpected_error(error)])
            return
        recheck = partial(self._recheck, self._headers)
        async for result in self._operations.results(document, params, context, recheck):
            kind = PreExecutionError if is_request_error(result) else ExecutionResult
            yield kind(data=result.data, errors=[presentable(error) for error in result.errors or ()])


class _Handler(BaseGraphQLTransportWSHandler[Any, None]):
    """strawberry's handler with a check of the shape of messages, which it takes for granted."""

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
    """Starlette's WebSocket behind the interface that the handler uses."""

    def __init__(self, socket: WebSocket, max_message_bytes: int) -> None:
        self._socket = socket
        self._max_message_bytes = max_message_bytes

    async def iter_json(self, **_: object) -> AsyncGenerator[object, None]:
        while True:
            try:
                text = await self._socket.receive_text()
            except KeyError as error:  # a binary message has no text
                raise NonTextMessageReceived from error
            except (WebSocketDisconnect, RuntimeError):  # RuntimeError: the server has closed it already
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
        await self._socket.close(code, reason.encode()[:_MAX_REASON_BYTES].decode(errors="ignore"))


def _errors(error: DocumentError | UpliftError) -> list[GraphQLError]:
    return error.errors if isinstance(error, DocumentError) else [domain_error(error)]


async def _deny(socket: WebSocket, status: int, code: HttpCode, message: str) -> None:
    errors = [request_error(code, message).formatted]
    await socket.send_denial_response(JSONResponse({"errors": errors}, status))
