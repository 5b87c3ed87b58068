"""Turns errors into the error form of the legacy REST path.

A client can mend an error of the domain or of its request, and learns it in full. Any other error is the
server's: the client learns an id, under which the log has the traceback.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from uplift.domain.errors import ErrorCode, InvalidSelection, UpliftError
from uplift.web.error_status import STATUS_OF, headers_of, message_of
from uplift.web.errors import HttpCode, RequestError
from uplift.web.incidents import log_outage, report_unexpected

MAX_DETAILS = 20
"""Faults that one error lists; the client finds the rest after it has mended these."""


class RestCode(StrEnum):
    """Stable codes of this path only; others are an ErrorCode or an HttpCode."""

    NOT_FOUND = "NOT_FOUND"
    """The path does not exist; for a process that does not exist the domain has PROCESS_NOT_FOUND."""
    UPGRADE_CANCELLED = "UPGRADE_CANCELLED"
    """An operator cancelled the upgrade; what it had done before is not undone."""
    UPGRADE_FAILED = "UPGRADE_FAILED"
    """An error of the server ended the upgrade; what it had done before is not undone."""
    SERVER_STOPS = "SERVER_STOPS"
    """The server stops while a client waits for its upgrade, which another server or a restart continues."""


_FIELD_OF: Mapping[str, str] = {"idempotency_key": "Idempotency-Key", "upgrade_id": "upgradeId"}
"""The names of fields on this path, by those of the domain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One fault: the field as the client wrote it, like `instanceIds[3]`, and a sentence."""

    field: str
    message: str


class RestError(RequestError):
    """A refused request as this path reports it: nothing was written.

    `incident_id` is the id in the log of an unexpected error.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Detail] = (),
        headers: Mapping[str, str] | None = None,
        incident_id: str | None = None,
    ) -> None:
        super().__init__(status, code, message, headers=headers)
        self.details = tuple(details[:MAX_DETAILS])
        self.incident_id = incident_id


def to_rest_error(error: Exception) -> RestError:
    """The form in which the client learns of any error; logs errors of the server."""
    if isinstance(error, RestError):
        return error
    if isinstance(error, RequestError):
        return RestError(error.status, error.code, error.message, headers=error.headers)
    if isinstance(error, UpliftError):
        log_outage(error)
        return RestError(
            STATUS_OF[error.code],
            error.code,
            message_of(error),
            details=_details(error),
            headers=headers_of(error),
        )
    incident = report_unexpected(error)
    return RestError(500, HttpCode.INTERNAL, incident.message, incident_id=incident.id)


def invalid_input(faults: Sequence[Detail]) -> RestError:
    """The error of a request with these faults, at least one."""
    code = ErrorCode.INVALID_INPUT
    return RestError(STATUS_OF[code], code, faults[0].message, details=faults)


def _details(error: UpliftError) -> tuple[Detail, ...]:
    """The fields at fault. An invalid selection names several fields, any other error the path of one."""
    names = error.field if isinstance(error, InvalidSelection) else filter(None, [".".join(error.field)])
    return tuple(Detail(field=_FIELD_OF.get(name, name), message=error.message) for name in names)
