"""Reads a GraphQL request from an HTTP request."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from graphql import OperationType
from starlette.types import Receive

from uplift.graphql_api.engine.execution import LargeParams, Params
from uplift.graphql_api.engine.limits import Limits
from uplift.web.body import read_json_body
from uplift.web.errors import HttpCode, RequestError
from uplift.web.json_limits import unreadable_reason
from uplift.web.large_requests import INLINE_BYTES, read_large
from uplift.web.media_types import utf8_media_type
from uplift.web.request_memory import HeldRequest

_MAX_URL_PARAMETERS = 100
_decode_params = msgspec.json.Decoder(Params).decode
_decode_json = msgspec.json.Decoder().decode


def require_safe_operation(method: str, operation: OperationType | None) -> None:
    """Raises RequestError (405) for a mutation by GET, which caches and prefetching repeat."""
    if method == "GET" and operation is OperationType.MUTATION:
        raise RequestError(
            405,
            HttpCode.METHOD_NOT_ALLOWED,
            "Expected a query, but got a mutation by GET; send it by POST.",
            headers={"allow": "POST"},
        )


def params_of_url(query_string: bytes) -> Params:
    """The parameters of a GET; raises RequestError (400)."""
    try:
        params: dict[str, Any] = dict(
            parse_qsl(query_string.decode("ascii"), errors="strict", max_num_fields=_MAX_URL_PARAMETERS)
        )
        for name in ("variables", "extensions"):
            if name in params:
                params[name] = _decode_json(params[name])
        return msgspec.convert(params, Params)
    except (ValueError, RecursionError) as error:
        raise not_graphql(error) from None


async def params_of_body(body: bytes, *, whole: bool) -> Params:
    """The parameters in the body of a POST; raises RequestError (400).

    Those of a large body are LargeParams, unless it must be decoded as a whole.
    """
    try:
        if len(body) <= INLINE_BYTES:
            return _decode_params(body)
        return await read_large(_decode_params if whole else _decode_large, body)
    except (ValueError, RecursionError) as error:
        raise not_graphql(error) from None


class _LargeBody(msgspec.Struct, kw_only=True, rename="camel"):
    """Params whose variables are not decoded yet."""

    query: str
    variables: dict[str, msgspec.Raw] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


def _decode_large(body: bytes) -> LargeParams:
    try:
        body.decode()  # what is not decoded yet would only be checked later
    except UnicodeDecodeError:
        raise ValueError("Invalid UTF-8 encoded string") from None
    large = _decode_large_body(body)
    return LargeParams(
        query=large.query,
        operation_name=large.operation_name,
        extensions=large.extensions,
        encoded=large.variables or {},
    )


_decode_large_body = msgspec.json.Decoder(_LargeBody).decode


async def read_body(receive: Receive, headers: Mapping[str, str], limits: Limits, held: HeldRequest) -> bytes:
    """The body of a POST.

    Raises RequestError for a body of another type (415), and what `read_json_body` raises.
    The type is a safeguard: a page of another origin cannot send JSON before a preflight request allows it.
    """
    content_type = headers.get("content-type", "")
    if utf8_media_type(content_type) != "application/json":
        raise RequestError(
            415,
            HttpCode.UNSUPPORTED_MEDIA_TYPE,
            "Expected a body of type 'application/json' in UTF-8, "
            f"but got {content_type or 'no Content-Type'!r}.",
        )
    return await read_json_body(
        receive,
        held,
        content_length=headers.get("content-length"),
        max_bytes=limits.max_body_bytes,
        max_seconds=limits.max_body_seconds,
    )


def not_graphql(error: Exception) -> RequestError:
    """What refuses a request that cannot be read."""
    return RequestError(
        400,
        HttpCode.BAD_REQUEST,
        "Expected one GraphQL request (an object with query, variables, operationName and extensions, "
        f"no batch), but it cannot be read: {unreadable_reason(error)}.",
    )
