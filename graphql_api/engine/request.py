"""Is this HTTP request a GraphQL request, and what does it ask?"""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from graphql import OperationType
from starlette.types import Receive

from uplift.graphql_api.engine.errors import RequestCode, request_error
from uplift.graphql_api.engine.execution import Params
from uplift.graphql_api.engine.limits import Limits
from uplift.graphql_api.engine.negotiation import is_json

_MOST_URL_PARAMETERS = 100
_decode_params = msgspec.json.Decoder(Params).decode
_decode_json = msgspec.json.Decoder().decode


class RefusedRequestError(Exception):
    """A request that is not one this endpoint takes, with the status and headers that say so."""

    def __init__(
        self, status: int, code: RequestCode, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.errors = [request_error(code, message)]
        self.headers = headers or {}


def check_method(method: str) -> None:
    """Let GET and POST through; raises RefusedRequestError (405)."""
    if method not in ("GET", "POST"):
        raise _method_not_allowed(f"Expected GET or POST, but got {method}.", allowed="GET, POST")


def check_operation(method: str, operation: OperationType | None) -> None:
    """Refuse a change by GET, which caches and prefetching repeat; raises RefusedRequestError (405)."""
    if method == "GET" and operation is OperationType.MUTATION:
        raise _method_not_allowed(
            "Expected a query, but got a mutation by GET; send it by POST.", allowed="POST"
        )


def params_of_url(query_string: bytes) -> Params:
    """What a GET asks; raises RefusedRequestError (400)."""
    try:
        found: dict[str, Any] = dict(
            parse_qsl(query_string.decode("ascii"), errors="strict", max_num_fields=_MOST_URL_PARAMETERS)
        )
        for name in ("variables", "extensions"):
            if name in found:
                found[name] = _decode_json(found[name])
        return msgspec.convert(found, Params)
    except (ValueError, RecursionError) as error:
        raise _not_graphql(error) from None


def params_of_body(body: bytes) -> Params:
    """What the body of a POST asks; raises RefusedRequestError (400)."""
    try:
        return _decode_params(body)
    except (ValueError, RecursionError) as error:
        raise _not_graphql(error) from None


async def read_body(receive: Receive, headers: Mapping[str, str], limits: Limits) -> bytes:
    """The body of a POST; raises RefusedRequestError for another type (415), size (413) or pace (408).

    The type is more than a courtesy: no page of another origin can send JSON without asking first.
    """
    if not is_json(headers.get("content-type", "")):
        raise RefusedRequestError(
            415,
            RequestCode.UNSUPPORTED_MEDIA_TYPE,
            "Expected a body of type 'application/json' in UTF-8, "
            f"but got {headers.get('content-type') or 'no Content-Type'!r}.",
        )
    if int(headers.get("content-length") or 0) > limits.max_body_bytes:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.max_body_seconds):
            return await _collect(receive, limits)
    except TimeoutError:
        raise RefusedRequestError(
            408,
            RequestCode.LIMIT_EXCEEDED,
            f"Expected the whole body within {limits.max_body_seconds:g} seconds, but it took longer.",
            {"connection": "close"},  # or its rest would be waited for all the same
        ) from None


async def _collect(receive: Receive, limits: Limits) -> bytes:
    body = bytearray()  # grows in place, where bytes would be copied for each of many small pieces
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedRequestError(
                400, RequestCode.BAD_REQUEST, "Expected a whole body, but the client went."
            )
        body += message.get("body", b"")
        if len(body) > limits.max_body_bytes:
            raise _too_large(limits)
        if not message.get("more_body", False):
            return bytes(body)


def _method_not_allowed(message: str, *, allowed: str) -> RefusedRequestError:
    return RefusedRequestError(405, RequestCode.METHOD_NOT_ALLOWED, message, {"allow": allowed})


def _too_large(limits: Limits) -> RefusedRequestError:
    return RefusedRequestError(
        413,
        RequestCode.LIMIT_EXCEEDED,
        f"Expected a body of at most {limits.max_body_bytes} bytes, but it is larger.",
    )


def _not_graphql(error: Exception) -> RefusedRequestError:
    return RefusedRequestError(
        400,
        RequestCode.BAD_REQUEST,
        "Expected one GraphQL request (an object with query, variables, operationName and extensions, "
        f"no batch), but it cannot be read: {error}.",
    )
