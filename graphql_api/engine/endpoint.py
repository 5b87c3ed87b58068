"""Serves a GraphQL schema over HTTP and WebSockets.

It follows the GraphQL-over-HTTP specification, with Server-Sent Events (the "distinct connections mode" of
graphql-sse) and WebSockets (graphql-transport-ws) for subscriptions:

    endpoint = GraphQLEndpoint(schema, context_for=authenticate, limits=Limits(), ide=graphiql_page)
    app = Starlette(routes=graphql_routes("/graphql", endpoint))

`context_for` gets the request's headers (names in lower case) and returns a new `info.context` for each
operation; it raises `Unauthenticated` to refuse the caller. `schema` is a strawberry schema without
extensions: this package does the parsing, validation, limits, masking and execution.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Iterable, Mapping
from contextlib import ExitStack, aclosing
from functools import partial
from typing import Any

from graphql import OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from strawberry import Schema

from uplift.domain.concurrency import first_of
from uplift.domain.errors import ErrorCode, Unauthenticated, UpliftError
from uplift.graphql_api.engine.documents import Document, DocumentError
from uplift.graphql_api.engine.errors import (
    GraphQLCode,
    domain_error,
    formatted,
    refused_request,
    unexpected_error,
)
from uplift.graphql_api.engine.execution import Operations, Params, Recheck, is_request_error, response
from uplift.graphql_api.engine.large_variables import UnreadableVariablesError
from uplift.graphql_api.engine.limits import Limits
from uplift.graphql_api.engine.request import (
    not_graphql,
    params_of_body,
    params_of_url,
    read_body,
    require_safe_operation,
)
from uplift.graphql_api.engine.response import (
    MediaType,
    accepts_html,
    errors_response,
    event_stream,
    json_response,
    negotiate,
    status_of_request_error,
)
from uplift.graphql_api.engine.streams import Streams
from uplift.graphql_api.engine.websocket import Sockets
from uplift.web.error_status import HEADERS_OF, STATUS_OF, headers_of
from uplift.web.errors import RequestError, require_method
from uplift.web.origins import Origins
from uplift.web.request_memory import RequestMemory
from uplift.web.request_slots import RequestSlots

__all__ = ["GraphQLEndpoint", "Limits", "graphql_routes"]

Headers = Mapping[str, str]

_DECIDE_STATUS = {
    ErrorCode.UNAUTHENTICATED,
    ErrorCode.FORBIDDEN,
    ErrorCode.RATE_LIMITED,
    ErrorCode.STORE_UNAVAILABLE,
}
"""The errors that decide the HTTP status when they refuse the request, or every field of it."""


class GraphQLEndpoint:
    """The ASGI application of one schema, for HTTP and WebSocket connections.

    `allowed_origins` are the other web origins whose pages may use it. `ide` answers a browser that opens the
    address, without a key. `recheck` gets the headers of a subscription before each further event and raises
    if its caller is no longer allowed; by default `context_for` does that. Once `stopping` is set, open event
    streams end. `streams` bounds the open streams of each caller, and ends them. `memory` bounds the sum of
    the requests, in all and of each caller, whom `caller_of` finds in a context; `slots` bounds the number of
    concurrent ones. `documents` counts hits and misses of the cache of query texts.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        context_for: Callable[[Headers], Awaitable[object]],
        limits: Limits | None = None,
        allowed_origins: Iterable[str] = (),
        ide: Callable[[Request], Response] | None = None,
        recheck: Callable[[Headers], Awaitable[object]] | None = None,
        streams: Streams | None = None,
        stopping: asyncio.Event | None = None,
        memory: RequestMemory | None = None,
        slots: RequestSlots | None = None,
        caller_of: Callable[[Any], Hashable] = lambda _: None,
    ) -> None:
        self._limits = limits or Limits()
        self._memory = memory or RequestMemory(max_body_bytes=self._limits.max_body_bytes)
        self._slots = slots or RequestSlots(self._limits.max_operations, self._limits.max_operations_per_key)
        self._caller_of = caller_of
        self._stopping = stopping or asyncio.Event()
        self._context_for = context_for
        self._origins = Origins(allowed_origins)
        self._ide = ide
        self._operations = Operations(schema, self._limits, self._memory)
        self._recheck = recheck or context_for
        self._streams = streams or Streams(self._limits)
        self._sockets = Sockets(
            self._operations,
            context_for,
            self._recheck,
            self._streams,
            self._origins,
            self._limits,
            self._memory,
            self._slots,
            caller_of,
        )
        self.documents = self._operations.documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._sockets.serve(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        with ExitStack() as held:
            response = await self._answer(scope, receive, headers, held)
            await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, headers: Headers, held: ExitStack) -> Response:
        """The response to any request; never raises."""
        accept = headers.get("accept", "")
        if self._ide and scope["method"] == "GET" and accepts_html(accept):
            return self._ide(Request(scope, receive))
        media_type = negotiate(accept)
        try:
            return await self._respond(scope, receive, headers, media_type, held)
        except Exception as error:
            return self._refuse(error, media_type or MediaType.JSON)

    async def _respond(
        self,
        scope: Scope,
        receive: Receive,
        headers: Headers,
        media_type: MediaType | None,
        until_sent: ExitStack,
    ) -> Response:
        method = scope["method"]
        require_method(method, "GET", "POST")
        self._origins.require_allowed(headers, scheme=scope.get("scheme", "http"))
        if media_type is None:
            raise _not_acceptable(f"Expected to answer in one of {', '.join(MediaType)}")
        # Before the body is read: a caller without a key must not make the server parse a large one.
        context = await self._context_for(headers)
        caller = self._caller_of(context)
        held = until_sent.enter_context(self._memory.held(caller))
        body = None if method == "GET" else await read_body(receive, headers, self._limits, held)
        if media_type is MediaType.EVENTS:
            params = await _params_of(scope, body, whole=True)  # an event could not refuse them any more
            document = await self._load(method, params)
            ended = asyncio.Event()
            until_sent.enter_context(self._streams.opened(await self._streams.owner_of(headers), ended))
            recheck = partial(self._recheck, headers)
            return event_stream(self._responses(document, params, context, recheck, ended), self._stopping)
        with self._slots.taken(caller):
            params = await _params_of(scope, body)
            del body
            document = await self._load(method, params)
            if document.operation_type(params.operation_name) is OperationType.SUBSCRIPTION:
                raise _not_acceptable(
                    "Expected to answer a subscription by WebSocket or in text/event-stream"
                )
            response = await self._response(document, params, context, media_type)
        held.release()  # before the client reads the response
        return response

    async def _load(self, method: str, params: Params) -> Document:
        document = await self.documents.load(params.query)
        require_safe_operation(method, document.operation_type(params.operation_name))
        return document

    async def _response(
        self, document: Document, params: Params, context: object, media_type: MediaType
    ) -> Response:
        try:
            result = await self._operations.execute(document, params, context)
        except UnreadableVariablesError as error:
            raise not_graphql(error) from None
        body = response(result)
        if is_request_error(result):
            return json_response(body, media_type, status_of_request_error(media_type))
        code = _sole_code(body)
        if code is None:
            return json_response(body, media_type, 200)
        return json_response(body, media_type, STATUS_OF[code], HEADERS_OF.get(code))

    async def _responses(
        self, document: Document, params: Params, context: object, recheck: Recheck, ended: asyncio.Event
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        """The responses of a stream. When `ended` is set, the last one says that the key is not valid."""
        async with aclosing(self._operations.results(document, params, context, recheck)) as results:
            while (result := await first_of(anext(results, None), ended.wait())) is not None:
                yield response(result)
        if ended.is_set():
            yield {"errors": formatted([domain_error(Unauthenticated())])}

    def _refuse(self, error: Exception, media_type: MediaType) -> Response:
        if isinstance(error, DocumentError) and media_type is MediaType.EVENTS:
            # The graphql-sse protocol puts these errors into the stream.
            return event_stream(_only({"errors": formatted(error.errors)}), self._stopping)
        return _error_response(error, media_type)


def graphql_routes(path: str, endpoint: GraphQLEndpoint) -> list[BaseRoute]:
    """The routes that serve this endpoint at this path, over HTTP and WebSocket."""
    return [Route(path, endpoint), WebSocketRoute(path, endpoint)]


async def _params_of(scope: Scope, body: bytes | None, *, whole: bool = False) -> Params:
    return params_of_url(scope["query_string"]) if body is None else await params_of_body(body, whole=whole)


def _not_acceptable(expected: str) -> RequestError:
    return RequestError(
        406, GraphQLCode.NOT_ACCEPTABLE, f"{expected}, but the request accepts something else."
    )


def _error_response(error: Exception, media_type: MediaType) -> Response:
    if isinstance(error, DocumentError):
        return errors_response(error.errors, media_type, status_of_request_error(media_type))
    if isinstance(error, RequestError):
        return errors_response([refused_request(error)], media_type, error.status, error.headers)
    if isinstance(error, UpliftError) and error.code in _DECIDE_STATUS:
        return errors_response([domain_error(error)], media_type, STATUS_OF[error.code], headers_of(error))
    return errors_response([unexpected_error(error)], media_type, 500)


def _sole_code(body: Mapping[str, Any]) -> ErrorCode | None:
    """The code that decides the status, if all errors have it and no field has a value; else None."""
    codes = {error["extensions"]["code"] for error in body.get("errors", ())}
    if len(codes) != 1 or any(value is not None for value in (body["data"] or {}).values()):
        return None
    return next((code for code in _DECIDE_STATUS if code in codes), None)


async def _only(body: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
    yield body
