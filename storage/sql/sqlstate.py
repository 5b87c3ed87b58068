"""Reads the SQLSTATE of a database error, also of one that the extension Citus hides in a message.

On Citus the coordinator passes on the errors of its workers. Some lose their SQLSTATE on the way, those of
COPY for instance, and arrive as internal errors: then only the text tells a lock timeout from a defect. The
texts are those of PostgreSQL 14 to 18 and Citus 12 and 13 in English.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.exc import DBAPIError

UNIQUE_VIOLATION = "23505"
READ_ONLY = "25006"
"""The SQLSTATE of a write to a standby, or to a database that an operator has made read-only."""
LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK_DETECTED = "40P01"
INTERNAL_ERROR = "XX000"

IN_MESSAGES: Final[Mapping[str, str]] = {
    "duplicate key value violates unique constraint": UNIQUE_VIOLATION,
    "canceling statement due to lock timeout": LOCK_NOT_AVAILABLE,
    "could not obtain lock on": LOCK_NOT_AVAILABLE,
    "deadlock detected": DEADLOCK_DETECTED,
    "canceling the transaction since it was involved in a distributed deadlock": DEADLOCK_DETECTED,
    "canceling statement due to": "57014",
    "terminating connection due to": "57P01",
    "the database system is": "57P03",
    "No space left on device": "53100",
    "remaining connection slots are reserved": "53300",
    "too many clients already": "53300",
    "in a read-only transaction": READ_ONLY,
    # The worker may have committed: 08007 says that the result of the transaction is unknown.
    "could not commit transaction for shard": "08007",
    "failed to prepare transaction": "08006",
    "failure on connection marked as essential": "08006",
    "could not connect to any active placements": "08006",
}
"""What a message contains, and the SQLSTATE of the error on its worker. The first that is found counts."""


def sqlstate(error: BaseException | None) -> str:
    """The SQLSTATE of an error of SQLAlchemy or of the driver, or an empty text."""
    original = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(original, "sqlstate", None) or ""
    return _state_in(str(original)) or state if state == INTERNAL_ERROR else state


def _state_in(message: str) -> str | None:
    # Only the first line: the next ones have details, which may quote what a caller sent.
    line = message.partition("\n")[0]
    return next((state for text, state in IN_MESSAGES.items() if text in line), None)
