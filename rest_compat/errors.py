"""What does a client learn when its request is not carried out?

Refusals of the domain and mistakes in the request keep their sentence, for the client can mend them. Anything
else is ours: the client gets an id, and the log gets the same id with the traceback.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import uuid4

import structlog

from uplift.domain.errors import ErrorCode, InvalidSelection, StoreUnavailable, TooManyRequests, UpliftError

MAX_DETAILS = 20
"""Most faults of one request that are told in full; the rest show when these are mended."""


class RestCode(StrEnum):
    """Why a request was not understood, or not answered; what the domain refuses has an ErrorCode."""

    BAD_REQUEST = "BAD_REQUEST"
    """The body is not one JSON object in UTF-8."""
    NOT_FOUND = "NOT_FOUND"
    """No such path; of a process that does not exist the domain says PROCESS_NOT_FOUND."""
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    FORBIDDEN_ORIGIN = "FORBIDDEN_ORIGIN"
    """A page of another web origin asks, and it is not in the list of allowed ones."""
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    """The body or a list of ids is larger than allowed, or the body slower."""
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    """The body is announced as something else than JSON in UTF-8."""
    UPGRADE_CANCELLED = "UPGRADE_CANCELLED"
    """An operator stopped the upgrade; what was done until then stays done."""
    UPGRADE_FAILED = "UPGRADE_FAILED"
    """An error of the server stopped the upgrade; what was done until then stays done."""
    SERVER_STOPS = "SERVER_STOPS"
    """The server is being stopped while a client waits for its upgrade, which goes on elsewhere or later."""
    INTERNAL = "INTERNAL"
    """An error of the server; quote the `id` to its operator."""


STATUS_OF: Mapping[ErrorCode, int] = {
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.PROCESS_NOT_FOUND: 404,
    ErrorCode.NO_PUBLISHED_VERSION: 400,
    ErrorCode.INVALID_SELECTION: 400,
    ErrorCode.INVALID_INPUT: 400,
    ErrorCode.INVALID_MODEL: 400,
    ErrorCode.INVALID_MAPPING: 400,
    ErrorCode.PROCESS_EXISTS: 409,
    ErrorCode.NO_DRAFT: 409,
    ErrorCode.PLAN_CHANGED: 409,
    ErrorCode.UPGRADE_NOT_FOUND: 404,
    ErrorCode.WRONG_STATE: 409,
    ErrorCode.IDEMPOTENCY_CONFLICT: 422,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.STORE_UNAVAILABLE: 503,
}
"""The HTTP status of every refusal of the domain."""

_HEADERS_OF: Mapping[ErrorCode, Mapping[str, str]] = {
    ErrorCode.UNAUTHENTICATED: {"www-authenticate": "Bearer"},
    ErrorCode.STORE_UNAVAILABLE: {"retry-after": "5"},
}

_FIELD_OF: Mapping[str, str] = {"idempotencyKey": "Idempotency-Key", "id": "upgradeId"}
"""What this path calls the fields that have other names at other front doors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One fault: the field as the client wrote it, like `instanceIds[3]`, and a sentence."""

    field: str
    message: str


class RequestError(Exception):
    """A request that is not carried out, as the client is told: nothing was written.

    `incident` is the id under which the log tells more, of an error of ours.
    """

    def __init__(
        self,
        status: int,
        code: ErrorCode | RestCode,
        message: str,
        *,
        details: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
        incident: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = tuple(details[:MAX_DETAILS])
        self.headers = dict(headers or {})
        self.incident = incident


def refusal_of(error: Exception) -> RequestError:
    """How the client is told of any error; logs those that are ours."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, UpliftError):
        log_outage(error)
        return RequestError(
            STATUS_OF[error.code],
            error.code,
            error.message,
            details=_details(error),
            headers=_headers(error),
        )
    return _unexpected(error)


def log_outage(error: UpliftError) -> None:
    """Tell the operator of a refusal that no client can do anything about."""
    if isinstance(error, StoreUnavailable):
        structlog.get_logger(__name__).warning("store_unavailable", error=error.message)


def headers_of(code: ErrorCode) -> Mapping[str, str]:
    """The headers that come with a refusal of the domain."""
    return _HEADERS_OF.get(code, {})


def bad_values(faults: Sequence[Detail]) -> RequestError:
    """The refusal of a request with these faults, of which there is at least one."""
    code = ErrorCode.INVALID_INPUT
    return RequestError(STATUS_OF[code], code, faults[0].message, details=faults)


def _headers(error: UpliftError) -> Mapping[str, str]:
    if isinstance(error, TooManyRequests):
        return {"retry-after": str(error.retry_after)}
    return headers_of(error.code)


def _details(error: UpliftError) -> tuple[Detail, ...]:
    """The fields at fault: an invalid selection names fields that stand side by side, others name a path."""
    names = error.field if isinstance(error, InvalidSelection) else filter(None, [".".join(error.field)])
    return tuple(Detail(field=_FIELD_OF.get(name, name), message=error.message) for name in names)


def _unexpected(error: Exception) -> RequestError:
    incident = str(uuid4())
    structlog.get_logger(__name__).error("unexpected_error", error_id=incident, exc_info=error)
    return RequestError(
        500,
        RestCode.INTERNAL,
        f"Unexpected error, please report it to the operator of this server (id {incident}).",
        incident=incident,
    )
