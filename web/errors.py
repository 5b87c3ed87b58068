"""Defines the errors of requests that the HTTP edge refuses before a use case runs."""

from collections.abc import Mapping
from enum import StrEnum


class HttpCode(StrEnum):
    """Why the HTTP edge refused a request. Errors of the domain have an ErrorCode instead."""

    BAD_REQUEST = "BAD_REQUEST"
    """The request cannot be read: malformed JSON, missing or ill-typed parameters."""
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    """The request is larger, deeper or slower than allowed."""
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    """The path does not serve this method; the `Allow` header lists the methods that it serves."""
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    """The body is not JSON in UTF-8."""
    FORBIDDEN_ORIGIN = "FORBIDDEN_ORIGIN"
    """The request comes from a web page whose origin is not allowed."""
    INTERNAL = "INTERNAL"
    """The server failed; its log has the details under the `id` of the error."""


class RequestError(Exception):
    """A refused request, with the status, stable code, message and headers of the response."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def no_room(status: int, expected: str, *, retry_after: int) -> RequestError:
    """The error (429 or 503) of a request that exceeds a bound; `retry_after` is in seconds."""
    message = f"Expected {expected}, but there would be more; try later."
    return RequestError(status, HttpCode.LIMIT_EXCEEDED, message, headers={"retry-after": str(retry_after)})


def require_method(method: str, *allowed: str) -> None:
    """Raises RequestError (405) for a method that is not allowed."""
    if method not in allowed:
        raise RequestError(
            405,
            HttpCode.METHOD_NOT_ALLOWED,
            f"Expected {' or '.join(allowed)}, but got {method}.",
            headers={"allow": ", ".join(allowed)},
        )
