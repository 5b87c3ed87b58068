"""Turns errors into GraphQL errors as clients see them.

Errors of the client keep their message and are not logged. Errors of the domain keep their message and code.
Any other error is the server's: the client learns an id, under which the log has the traceback.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from graphql import GraphQLError, GraphQLFormattedError
from strawberry.utils.str_converters import to_camel_case

from uplift.domain.errors import TooManyRequests, UpliftError
from uplift.web.error_status import message_of
from uplift.web.errors import HttpCode, RequestError
from uplift.web.incidents import log_outage, report_unexpected

_FIELD_NAMES: Mapping[str, str] = {"upgrade_id": "id", "sweep_interval": "sweep_seconds"}
"""The names of fields in the schema that are not just those of the domain in camelCase."""

_PYTHON_WORDS = re.compile(
    r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|(?<![.\w])(?:None|True|False)\b""", re.DOTALL
)
"""Strings, which stay as they are, and the words that clients in other languages do not know."""
_JSON_WORDS = {"None": "null", "True": "true", "False": "false"}
_MAX_MESSAGE = 2_000
"""Characters of a message of graphql-core, which repeats values and names of the request in full length."""


class GraphQLCode(StrEnum):
    """Why an operation was not run. Other codes are an ErrorCode or an HttpCode."""

    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    """The query text is not GraphQL, or has too many tokens."""
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    """The query text does not fit the schema."""
    BAD_USER_INPUT = "BAD_USER_INPUT"
    """The variables or the operation name do not fit the query text."""
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    """The client accepts no media type in which this operation can be answered."""


def request_error(code: str, message: str, cause: GraphQLError | None = None) -> GraphQLError:
    """The error of a request that was not run; `cause` names the places in the query text."""
    return GraphQLError(
        _shortened(message),
        nodes=cause.nodes if cause else None,
        source=cause.source if cause else None,
        positions=cause.positions if cause else None,
        extensions={"code": code},
    )


def refused_request(refused: RequestError) -> GraphQLError:
    """The error of a refused request. On a WebSocket no header says when to try again."""
    error = request_error(refused.code, refused.message)
    if "retry-after" in refused.headers:
        error.extensions = {**(error.extensions or {}), "retryAfter": int(refused.headers["retry-after"])}
    return error


def in_json_words(message: str) -> str:
    """A message of graphql-core with `null`, `true` and `false` in place of Python's words."""
    # Shortened first: for a text of megabytes the pattern takes seconds and a hundred times its size.
    return _PYTHON_WORDS.sub(lambda found: _JSON_WORDS.get(found[0], found[0]), _shortened(message))


def _shortened(message: str) -> str:
    return message if len(message) <= _MAX_MESSAGE else f"{message[:_MAX_MESSAGE]}…"


def domain_error(error: UpliftError) -> GraphQLError:
    """The error of a request that the domain refused as a whole; logs an outage."""
    return GraphQLError(message_of(error), extensions=_extensions(error))


def unexpected_error(cause: BaseException) -> GraphQLError:
    """Logs an error of the server; what the client sees instead."""
    incident = report_unexpected(cause)
    return GraphQLError(incident.message, extensions={"code": HttpCode.INTERNAL, "id": incident.id})


def presentable(error: GraphQLError) -> GraphQLError:
    """The error as the client may see it, with `extensions.code`; logs an error of the server."""
    cause = _cause(error)
    if isinstance(cause, UpliftError):
        return _in_place(error, domain_error(cause))
    if error.path is not None and not isinstance(cause, GraphQLError):
        return _in_place(error, unexpected_error(cause))
    if "code" in (error.extensions or {}):
        return error
    extensions: Mapping[str, Any] = {"code": GraphQLCode.BAD_USER_INPUT, **(error.extensions or {})}
    return _in_place(error, GraphQLError(in_json_words(error.message), extensions=dict(extensions)))


def formatted(errors: Sequence[GraphQLError]) -> list[GraphQLFormattedError]:
    """The errors as they appear in a response. Call it once for each error, because it logs."""
    return [presentable(error).formatted for error in errors]


def _cause(error: GraphQLError) -> BaseException:
    """The first error: graphql-core wraps one in another for each place that adds its location."""
    cause: BaseException = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def field_path(error: UpliftError) -> list[str]:
    """The path of the invalid input in the names of the schema; empty when no single one is invalid."""
    names = (_FIELD_NAMES.get(name, name) for name in error.field)
    return [to_camel_case(part) for name in names for part in name.split(".")]


def _extensions(error: UpliftError) -> dict[str, Any]:
    log_outage(error)
    if isinstance(error, TooManyRequests):  # an operation on a WebSocket has no headers for this
        return {"code": error.code, "retryAfter": error.retry_after}
    return {"code": error.code, "field": field_path(error)} if error.field else {"code": error.code}


def _in_place(located: GraphQLError, shown: GraphQLError) -> GraphQLError:
    """The message and extensions of `shown`, at the place in query and response of `located`."""
    return GraphQLError(
        shown.message,
        nodes=located.nodes,
        source=located.source,
        positions=located.positions,
        path=located.path,
        extensions=shown.extensions,
    )
