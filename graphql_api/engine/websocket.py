"""Serves operations over WebSockets by the graphql-transport-ws protocol.

strawberry's handler keeps the states of the protocol. Its view, adapter and schema are replaced, so that
operations run as they do over HTTP: cached documents, limits, masking. The caller is identified at
`connection_init` and again for each operation, so that a revoked key starts nothing. `Streams` ends the
connections of a revoked key, idle ones too.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import partial
from typing import Any, cast

from graphql import GraphQLError, OperationType
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.unset import UNSET

from uplift.domain.errors import Forbidden, StoreUnavailable, TooManyRequests, Unauthenticated, UpliftError
from uplift.graphql_api.engine.documents import DocumentError
from uplift.graphql_api.engine.errors import domain_error, presentable, refused_request, unexpected_error
from uplift.graphql_api.engine.execution import Operations, Params, is_request_error
from uplift.graphql_api.engine.limits import Limits
from uplift.graphql_api.engine.streams import Streams
from uplift.graphql_api.engine.websocket_protocol import MessageRate, ProtocolHandler, SocketAdapter
from uplift.web.error_status import message_of
from uplift.web.errors import HttpCode, RequestError
from uplift.web.incidents import log_outage
from uplift.web.origins import Origins
from uplift.web.request_memory import HeldRequest, RequestMemory
from uplift.web.request_slots import RequestSlots
from uplift.web.websocket_extension import report_authenticated

ContextFor = Callable[[Mapping[str, str]], Awaitable[object]]

_CLOSE_SECONDS = 1.0
"""Seconds in which the close frame for a revoked key must go out."""


class Sockets:
    """The WebSockets of one endpoint."""

    def __init__(
        self,
        operations: Operations,
        context_for: ContextFor,
        recheck: ContextFor,
        streams: Streams,
        origins: Origins,
        limits: Limits,
        memory: RequestMemory,
        slots: RequestSlots,
        caller_of: Callable[[Any], Hashable],
    ) -> None:
        self._operations = operations
        self._context_for = context_for
        self._recheck = recheck
        self._streams = streams
        self._origins = origins
        self._limits = limits
        self._memory = memory
        self._slots = slots
        self._caller_of = caller_of
        self._rate = MessageRate()

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection until either side closes it."""
        socket = WebSocket(scope, receive, send)
        # Browsers do not apply CORS to WebSockets; without this check any page could open one.
        if not self._origins.allow(socket.headers, scheme=scope.get("scheme", "http")):
            message = "Expected a page of an allowed origin."
            await _deny(socket, RequestError(403, HttpCode.FORBIDDEN_ORIGIN, message))
            return
        with ExitStack() as slots, suppress(WebSocketDisconnect):  # a client may leave at any time
            try:
                slots.enter_context(self._streams.waiting(socket.client.host if socket.client else ""))
            except RequestError as refused:
                await _deny(socket, refused)
                return
            await self._serve_accepted(socket, send, slots)

    async def _serve_accepted(self, socket: WebSocket, send: Send, slots: ExitStack) -> None:
        if GRAPHQL_TRANSPORT_WS_PROTOCOL not in socket.scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, "Subprotocol not acceptable")
            return
        await socket.accept(GRAPHQL_TRANSPORT_WS_PROTOCOL)
        adapter = SocketAdapter(socket, self._limits.max_body_bytes)
        ended = asyncio.Event()

        async def take_stream(headers: Mapping[str, str]) -> None:
            owner = await self._streams.owner_of(headers)
            slots.close()  # the socket waits no longer
            slots.enter_context(self._streams.opened(owner, ended))
            await report_authenticated(socket.scope, send)

        session = _Session(
            self._operations,
            self._context_for,
            self._recheck,
            take_stream,
            socket.headers,
            self._memory,
            self._slots,
            self._caller_of,
        )
        # Typed as strawberry's own view and schema, of which the handler only calls on_ws_connect and stream.
        handler = ProtocolHandler(
            view=cast("Any", session),
            websocket=adapter,
            context={},
            root_value=None,
            schema=cast("Any", session),
            connection_init_wait_timeout=timedelta(seconds=self._limits.socket_init_seconds),
            max_subscriptions_per_connection=self._limits.max_operations_per_socket,
            held=session.held,
            is_flood=lambda: self._rate.is_flood(adapter, session.caller),
        )
        try:
            await _until(ended, handler)
            if ended.is_set():
                await _close_soon(adapter, 4403, "The API key is no longer valid.")
        except (Unauthenticated, Forbidden) as error:
            await adapter.close(4403, message_of(error))
        except RequestError as error:
            await adapter.close(1013, error.message)
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
        take_stream: Callable[[Mapping[str, str]], Awaitable[None]],
        handshake: Mapping[str, str],
        memory: RequestMemory,
        slots: RequestSlots,
        caller_of: Callable[[Any], Hashable],
    ) -> None:
        self._operations = operations
        self._slots = slots
        self._context_for = context_for
        self._recheck = recheck
        self._take_stream = take_stream
        self._headers = dict(handshake)
        self._caller_of = caller_of
        self._memory = memory
        self.caller: Hashable = None

    async def on_ws_connect(self, init: dict[str, Any]) -> object:
        """Identifies the caller by `connection_init`, else by the headers of the handshake.

        Raises what refuses the caller, and RequestError if it has too many streams.
        """
        payload: dict[str, object] = init["connection_params"]
        authorization = payload.get("Authorization", payload.get("authorization"))
        if isinstance(authorization, str):
            self._headers["authorization"] = authorization
        self.caller = self._caller_of(await self._context_for(self._headers))
        await self._take_stream(self._headers)
        return UNSET

    def held(self) -> HeldRequest:
        """Begins to count an operation of the caller."""
        return HeldRequest(self._memory, self.caller)

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
            document = await self._operations.documents.load(params.query)
        except (DocumentError, UpliftError) as error:
            yield PreExecutionError(data=None, errors=_errors(error))
            return
        except Exception as error:
            yield PreExecutionError(data=None, errors=[unexpected_error(error)])
            return
        recheck = partial(self._recheck, self._headers)
        with ExitStack() as processed:
            if document.operation_type(params.operation_name) is not OperationType.SUBSCRIPTION:
                try:
                    processed.enter_context(self._slots.taken(self.caller))
                except RequestError as refused:
                    yield PreExecutionError(data=None, errors=[refused_request(refused)])
                    return
            async for result in self._operations.results(document, params, context, recheck):
                kind = PreExecutionError if is_request_error(result) else ExecutionResult
                yield kind(data=result.data, errors=[presentable(error) for error in result.errors or ()])


def _errors(error: DocumentError | UpliftError) -> list[GraphQLError]:
    return error.errors if isinstance(error, DocumentError) else [domain_error(error)]


async def _deny(socket: WebSocket, refused: RequestError) -> None:
    errors = [refused_request(refused).formatted]
    response = JSONResponse({"errors": errors}, refused.status, headers=refused.headers)
    await socket.send_denial_response(response)


async def _until(ended: asyncio.Event, handler: ProtocolHandler) -> None:
    """Handles the messages of a connection until it closes, or `ended` is set.

    Not by `first_of`: in a task of its own the handler could not bind the caller to the log lines of the
    request.
    """
    try:
        async with asyncio.timeout(None) as limit:
            ending = asyncio.create_task(_expire(limit, ended))
            try:
                await handler.handle()
            finally:
                ending.cancel()
    except TimeoutError:
        if not limit.expired():
            raise


async def _expire(limit: asyncio.Timeout, ended: asyncio.Event) -> None:
    await ended.wait()
    limit.reschedule(0)


async def _close_soon(adapter: SocketAdapter, code: int, reason: str) -> None:
    """Closes, but does not wait for a client that reads nothing: the server drops it when this returns."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await adapter.close(code, reason)
