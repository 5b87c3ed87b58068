"""What does a client learn of an error?

Mistakes of the client keep their message and are not logged: their text is the client's, and would fill or
forge the log. Refusals of the domain keep their message and code. Anything else is ours: the client gets an
id, and the log gets the same id with the traceback.
"""

import traceback
from collections.abc import Sequence
from enum import StrEnum
from typing import Any
from uuid import uuid4

import structlog
from graphql import GraphQLError, GraphQLFormattedError

from uplift.domain.errors import StoreUnavailable, TooManyRequests, UpliftError


class RequestCode(StrEnum):
    """Why a request was not answered as GraphQL at all, or not as asked; domain refusals have ErrorCode."""

    BAD_REQUEST = "BAD_REQUEST"
    """The request is not a GraphQL request: malformed JSON, missing or ill-typed parameters."""
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    """The query text is not GraphQL, or has too many tokens."""
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    """The query text does not fit the schema."""
    BAD_USER_INPUT = "BAD_USER_INPUT"
    """The variables or the operation name do not fit the query text."""
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    """Larger, deeper or slower than allowed."""
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    """Neither GET nor POST, or a change asked by GET."""
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    """The client accepts no media type that this operation can be answered in."""
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    """The body is not JSON in UTF-8."""
    FORBIDDEN_ORIGIN = "FORBIDDEN_ORIGIN"
    """A page of another origin asks, and it is not in the list of allowed ones."""
    INTERNAL = "INTERNAL"
    """An error of the server; quote the `id` to its operator."""


def request_error(code: RequestCode, message: str, cause: GraphQLError | None = None) -> GraphQLError:
    """The error of a request of which nothing ran, at the places in the text that `cause` names."""
    return GraphQLError(
        message,
        nodes=cause.nodes if cause else None,
        source=cause.source if cause else None,
        positions=cause.positions if cause else None,
        extensions={"code": code},
    )


def presentable(error: GraphQLError) -> GraphQLError:
    """The error as the client may see it, with `extensions.code`; logs what is not the client's mistake."""
    cause = _cause(error)
    if isinstance(cause, UpliftError):
        return _with(error, cause.message, _facts(cause))
    if error.path is not None and not isinstance(cause, GraphQLError):
        return _with(error, *unexpected(cause))
    if "code" in (error.extensions or {}):
        return error
    return _with(error, error.message, {"code": RequestCode.BAD_USER_INPUT, **(error.extensions or {})})


def unexpected(cause: BaseException) -> tuple[str, dict[str, Any]]:
    """Log an error of ours; the message and extensions that stand for it outside."""
    error_id = str(uuid4())
    # Formatted here and not by `exc_info`: structlog's console would show locals, and with them keys.
    trace = "".join(traceback.format_exception(cause))
    structlog.get_logger(__name__).error("unexpected_error", error_id=error_id, exception=trace)
    return (
        f"Unexpected error, please report it to the operator of this server (id {error_id}).",
        {"code": RequestCode.INTERNAL, "id": error_id},
    )


def refusal(error: UpliftError) -> GraphQLError:
    """The error of a request that the domain refused as a whole."""
    return GraphQLError(error.message, extensions=_facts(error))


def formatted(errors: Sequence[GraphQLError]) -> list[GraphQLFormattedError]:
    """The errors as they stand in a response; call it once an error, because it logs."""
    return [presentable(error).formatted for error in errors]


def _cause(error: GraphQLError) -> BaseException:
    """What was raised first: graphql-core wraps an error once for each place that adds its location."""
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def log_outage(error: UpliftError) -> None:
    """Tell the operator of a refusal that no client can do anything about."""
    if isinstance(error, StoreUnavailable):
        structlog.get_logger(__name__).warning("store_unavailable", error=error.message)


def _facts(error: UpliftError) -> dict[str, Any]:
    log_outage(error)
    if isinstance(error, TooManyRequests):  # no header goes with one operation of a WebSocket
        return {"code": error.code, "retryAfter": error.retry_after}
    return {"code": error.code, "field": list(error.field)} if error.field else {"code": error.code}


def _with(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
