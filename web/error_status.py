"""Maps errors of the domain to HTTP status codes, headers and messages."""

from collections.abc import Mapping

from uplift.domain.errors import ErrorCode, TooManyRequests, Unauthenticated, UpliftError

STATUS_OF: Mapping[ErrorCode, int] = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.PROCESS_NOT_FOUND: 404,
    ErrorCode.UPGRADE_NOT_FOUND: 404,
    ErrorCode.NO_PUBLISHED_VERSION: 400,
    ErrorCode.INVALID_SELECTION: 400,
    ErrorCode.INVALID_INPUT: 400,
    ErrorCode.INVALID_MODEL: 400,
    ErrorCode.INVALID_MAPPING: 400,
    ErrorCode.PROCESS_EXISTS: 409,
    ErrorCode.NO_DRAFT: 409,
    ErrorCode.LINKED: 409,
    ErrorCode.LINK_EXISTS: 409,
    ErrorCode.LINK_NOT_FOUND: 404,
    ErrorCode.LINK_IN_USE: 409,
    ErrorCode.PLAN_CHANGED: 409,
    ErrorCode.WRONG_STATE: 409,
    ErrorCode.IDEMPOTENCY_CONFLICT: 422,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.STORE_UNAVAILABLE: 503,
}
"""The HTTP status of each error of the domain."""

HEADERS_OF: Mapping[ErrorCode, Mapping[str, str]] = {
    ErrorCode.UNAUTHENTICATED: {"www-authenticate": "Bearer"},
    ErrorCode.STORE_UNAVAILABLE: {"retry-after": "5"},
}
"""The headers that every response with this error has."""


def headers_of(error: UpliftError) -> Mapping[str, str]:
    """The headers of the response to this error."""
    if isinstance(error, TooManyRequests):
        return {"retry-after": str(error.retry_after)}
    return HEADERS_OF.get(error.code, {})


def message_of(error: UpliftError) -> str:
    """The message of this error, in the terms of HTTP."""
    if isinstance(error, Unauthenticated):
        return f"Expected a valid API key as 'Authorization: Bearer <key>', but {error.fault}."
    return error.message
