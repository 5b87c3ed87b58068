"""Builds HTTP responses to GraphQL requests, in the media type that the client prefers."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from enum import StrEnum
from typing import Any

import msgspec
from graphql import GraphQLError
from starlette.responses import Response, StreamingResponse
from strawberry.http.streaming import SSETransport, merge_stream_with_heartbeat

from uplift.domain.concurrency import first_of
from uplift.graphql_api.engine.errors import formatted
from uplift.web.media_types import preferred

_encode = msgspec.json.Encoder().encode
_sse = SSETransport()


class MediaType(StrEnum):
    """The media types of a response."""

    GRAPHQL = "application/graphql-response+json"
    """Request errors have a status of their own."""
    JSON = "application/json"
    """Request errors of a well-formed request have status 200, as older clients expect."""
    EVENTS = "text/event-stream"
    """Server-Sent Events, one for each result."""


_WILDCARDS = {"*/*", "application/*"}
_FOR_WILDCARD = (MediaType.JSON, MediaType.GRAPHQL)


def negotiate(accept: str) -> MediaType | None:
    """The media type that this `Accept` header prefers; None if it accepts none."""
    if not accept.strip():
        return MediaType.JSON
    ranges = preferred(accept)
    refused = {name for name, quality in ranges if quality <= 0}
    for name, _ in ranges:
        if name in refused:
            continue
        if name in _WILDCARDS:
            return next((media_type for media_type in _FOR_WILDCARD if media_type not in refused), None)
        if name in set(MediaType):
            return MediaType(name)
    return None


def accepts_html(accept: str) -> bool:
    """Whether this `Accept` header names HTML, as those of browsers do and a wildcard does not."""
    return any(name == "text/html" and quality > 0 for name, quality in preferred(accept))


def status_of_request_error(media_type: MediaType) -> int:
    """The status of a well-formed request that was not run; older clients read errors only with a 200."""
    return 400 if media_type is MediaType.GRAPHQL else 200


def json_response(
    body: Mapping[str, Any], media_type: MediaType, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """A response in a JSON media type. A refused event stream gets plain JSON."""
    content_type = MediaType.JSON if media_type is MediaType.EVENTS else media_type
    return Response(
        _encode(body),
        status,
        {**(headers or {}), "content-type": f"{content_type}; charset=utf-8", "vary": "Accept"},
    )


def errors_response(
    errors: Sequence[GraphQLError],
    media_type: MediaType,
    status: int,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A response with errors only: nothing was run."""
    return json_response({"errors": formatted(errors)}, media_type, status, headers)


def event_stream(responses: AsyncGenerator[Mapping[str, Any], None], stopping: asyncio.Event) -> Response:
    """A `next` event for each response, then `complete`; comments keep an idle connection open.

    Once `stopping` is set, the stream ends without `complete`, so that clients connect again.
    """

    async def events() -> AsyncGenerator[str, None]:
        async for body in responses:
            yield _sse.encode_event("next", _encode(body).decode())
        yield _sse.encode_complete()

    stream = merge_stream_with_heartbeat(
        events,
        lambda: _sse.encode_comment("ping"),
        _sse.heartbeat_interval,
        send_initial_heartbeat=False,
    )

    async def until_stopped() -> AsyncGenerator[str, None]:
        # A server sends the head with the first part of a body, and the first event may take long.
        yield ""
        async with aclosing(stream()) as pieces:
            while (piece := await first_of(anext(pieces, None), stopping.wait())) is not None:
                yield piece

    return StreamingResponse(until_stopped(), headers={**_sse.headers, "vary": "Accept"})
