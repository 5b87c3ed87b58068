"""How does an answer look on the wire?"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from graphql import GraphQLError
from starlette.responses import Response, StreamingResponse
from strawberry.http.streaming import SSETransport, merge_stream_with_heartbeat

from uplift.domain.concurrency import first_of
from uplift.graphql_api.engine.errors import formatted
from uplift.graphql_api.engine.negotiation import MediaType

_encode = msgspec.json.Encoder().encode
_sse = SSETransport()


def status_of_request_error(media_type: MediaType) -> int:
    """Of a well-formed request whose operation did not run; older clients read errors only with a 200."""
    return 400 if media_type is MediaType.GRAPHQL else 200


def json_response(
    body: Mapping[str, Any], media_type: MediaType, status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """One response in one of the two JSON media types; an event stream that was refused gets plain JSON."""
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
    """A response that says only why nothing ran."""
    return json_response({"errors": formatted(errors)}, media_type, status, headers)


def event_stream(responses: AsyncGenerator[Mapping[str, Any], None], stopping: asyncio.Event) -> Response:
    """A `next` event for each response, then `complete`; comments keep an idle connection open.

    When the server is being stopped, the stream just ends: without `complete` clients know that there is
    more, and connect again.
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
        async with aclosing(stream()) as pieces:
            while (piece := await first_of(anext(pieces, None), stopping.wait())) is not None:
                yield piece

    return StreamingResponse(until_stopped(), headers={**_sse.headers, "vary": "Accept"})
