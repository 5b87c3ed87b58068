"""How does the API answer over HTTP?

By the GraphQL-over-HTTP specification, with Server-Sent Events (the "distinct connections mode" of
graphql-sse) and WebSockets (graphql-transport-ws) for subscriptions. To serve a schema:

    endpoint = GraphQLEndpoint(schema, context_for=authenticate, limits=Limits(), ide=graphiql_page)
    app = Starlette(routes=graphql_routes("/graphql", endpoint))

`context_for` gets the request's headers (names in lower case) and returns what resolvers find as
`info.context`, a new one for each operation; raise `Unauthenticated` in it to refuse the caller. `schema` is
a strawberry schema without extensions: parsing, validation, limits, masking and execution are done here.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

from graphql import GraphQLError, OperationType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from strawberry import Schema

from uplift.domain.errors import ErrorCode, TooManyRequests, UpliftError
from uplift.graphql_api.engine.documents import Document, RefusedDocumentError
from uplift.graphql_api.engine.errors import RequestCode, formatted, refusal, unexpected
from uplift.graphql_api.engine.execution import Operations, Params, Recheck, is_request_error, response
from uplift.graphql_api.engine.limits import Limits
from uplift.graphql_api.engine.negotiation import MediaType, negotiate
from uplift.graphql_api.engine.origins import Origins
from uplift.graphql_api.engine.request import (
    RefusedRequestError,
    check_method,
    check_operation,
    params_of_body,
    params_of_url,
    read_body,
)
from uplift.graphql_api.engine.response import (
    errors_response,
    event_stream,
    json_response,
    status_of_request_error,
)
from uplift.graphql_api.engine.websocket import Sockets

__all__ = ["GraphQLEndpoint", "Limits", "graphql_routes"]

Headers = Mapping[str, str]

ANSWERS: Mapping[str, tuple[int, Headers]] = {
    ErrorCode.UNAUTHENTICATED: (401, {"www-authenticate": "Bearer"}),
    ErrorCode.FORBIDDEN: (403, {}),
    ErrorCode.STORE_UNAVAILABLE: (503, {"retry-after": "5"}),
}
"""The status and headers when one of these stood in the way of everything that was asked for."""


class GraphQLEndpoint:
    """The ASGI application of one schema, for HTTP and WebSocket connections.

    `allowed_origins` are the other web origins whose pages may use it; `ide` answers a browser that opens the
    address, and needs no key. `documents` tells how often a query text was known already. `recheck` sees by
    the headers of a subscription whether its caller may still ask, before each further event; if there is
    none, `context_for` does.
    Once `stopping` is set, open event streams end.
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
        stopping: asyncio.Event | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._stopping = stopping or asyncio.Event()
        self._context_for = context_for
        self._origins = Origins(allowed_origins)
        self._ide = ide
        self._operations = Operations(schema, self._limits)
        self._recheck = recheck or context_for
        self._sockets = Sockets(self._operations, context_for, self._recheck, self._origins, self._limits)
        self.documents = self._operations.documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._sockets.serve(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        answer = await self._answer(scope, receive, headers)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, headers: Headers) -> Response:
        """The response to any request, whatever goes wrong."""
        accept = headers.get("accept", "")
        if self._ide and scope["method"] == "GET" and "text/html" in accept:
            return self._ide(Request(scope, receive))
        media_type = negotiate(accept)
        try:
            return await self._respond(scope, receive, headers, media_type)
        except Exception as error:
            return self._refusal(error, media_type or MediaType.JSON)

    async def _respond(
        self, scope: Scope, receive: Receive, headers: Headers, media_type: MediaType | None
    ) -> Response:
        method = scope["method"]
        check_method(method)
        self._check_origin(headers)
        if media_type is None:
            raise _not_acceptable(f"Expected to answer in one of {', '.join(MediaType)}")
        context = await self._context_for(headers)
        params = (
            params_of_url(scope["query_string"])
            if method == "GET"
            else params_of_body(await read_body(receive, headers, self._limits))
        )
        document = self.documents.find(params.query)
        operation = document.operation_type(params.operation_name)
        check_operation(method, operation)
        if media_type is MediaType.EVENTS:
            recheck = partial(self._recheck, headers)
            return event_stream(self._responses(document, params, context, recheck), self._stopping)
        if operation is OperationType.SUBSCRIPTION:
            raise _not_acceptable("Expected to answer a subscription by WebSocket or in text/event-stream")
        return await self._response(document, params, context, media_type)

    async def _response(
        self, document: Document, params: Params, context: object, media_type: MediaType
    ) -> Response:
        result = await self._operations.execute(document, params, context)
        body = response(result)
        if is_request_error(result):
            return json_response(body, media_type, status_of_request_error(media_type))
        return json_response(body, media_type, *ANSWERS.get(_sole_refusal(body), (200, {})))

    async def _responses(
        self, document: Document, params: Params, context: object, recheck: Recheck
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        async for result in self._operations.results(document, params, context, recheck):
            yield response(result)

    def _refusal(self, error: Exception, media_type: MediaType) -> Response:
        if isinstance(error, RefusedDocumentError) and media_type is MediaType.EVENTS:
            # graphql-sse wants these in the stream
            return event_stream(_only({"errors": formatted(error.errors)}), self._stopping)
        return _refusal_response(error, media_type)

    def _check_origin(self, headers: Headers) -> None:
        if not self._origins.allow(headers):
            raise RefusedRequestError(
                403,
                RequestCode.FORBIDDEN_ORIGIN,
                f"Expected a page of this server or of an allowed origin, but got {headers['origin']!r}.",
            )


def graphql_routes(path: str, endpoint: GraphQLEndpoint) -> list[BaseRoute]:
    """The routes that serve this endpoint at this path, over HTTP and WebSocket."""
    return [Route(path, endpoint), WebSocketRoute(path, endpoint)]


def _not_acceptable(expected: str) -> RefusedRequestError:
    return RefusedRequestError(
        406, RequestCode.NOT_ACCEPTABLE, f"{expected}, but the request accepts something else."
    )


def _refusal_response(error: Exception, media_type: MediaType) -> Response:
    """The one table from what was raised to what the client gets."""
    if isinstance(error, RefusedDocumentError):
        return errors_response(error.errors, media_type, status_of_request_error(media_type))
    if isinstance(error, RefusedRequestError):
        return errors_response(error.errors, media_type, error.status, error.headers)
    if isinstance(error, TooManyRequests):
        return errors_response([refusal(error)], media_type, 429, {"retry-after": str(error.retry_after)})
    if isinstance(error, UpliftError) and error.code in ANSWERS:
        return errors_response([refusal(error)], media_type, *ANSWERS[error.code])
    message, extensions = unexpected(error)
    return errors_response([GraphQLError(message, extensions=extensions)], media_type, 500)


def _sole_refusal(body: Mapping[str, Any]) -> str:
    """The code of the errors when they all have the same, and nothing else was answered; else nothing."""
    codes = {error["extensions"]["code"] for error in body.get("errors", ())}
    data = body["data"] or {}
    return codes.pop() if len(codes) == 1 and all(value is None for value in data.values()) else ""


async def _only(body: Mapping[str, Any]) -> AsyncGenerator[Mapping[str, Any], None]:
    yield body
