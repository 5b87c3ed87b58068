"""Logs errors of the server and hides them from clients.

Errors of clients are not logged: their text comes from the client, who could fill or forge the log with it.
"""

import traceback
from dataclasses import dataclass
from uuid import uuid4

import structlog

from uplift.domain.errors import StoreUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What a client learns of an unexpected error: an id that the log has too, and a message with the id."""

    id: str
    message: str


def report_unexpected(error: BaseException) -> Incident:
    """Logs an unexpected error with its traceback, under a new id."""
    incident_id = str(uuid4())
    # Not by `exc_info`: structlog's default renderers would show local variables, and keys among them.
    trace = "".join(traceback.format_exception(error))
    structlog.get_logger(__name__).error("unexpected_error", error_id=incident_id, exception=trace)
    message = f"Unexpected error, please report it to the operator of this server (id {incident_id})."
    return Incident(id=incident_id, message=message)


def log_outage(error: Exception) -> None:
    """Logs that the store is unavailable, which only the operator can mend; ignores any other error."""
    if isinstance(error, StoreUnavailable):
        structlog.get_logger(__name__).warning("store_unavailable", error=error.message)
