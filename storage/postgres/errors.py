"""Separates outages of PostgreSQL, transient or for an operator to repair, from defects of Uplift."""

import os
import ssl

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from uplift.storage.sql.sqlstate import READ_ONLY, sqlstate

OUTAGE_CLASSES = (
    "08",  # connection exceptions, those of poolers too
    "40",  # transaction rollback: deadlock, serialization failure
    "53",  # insufficient resources: disk full, too many connections
    "55",  # object not in prerequisite state: lock timeout
    "57",  # operator intervention: shutdown, starting up, query cancelled
    "58",  # system errors, such as those of input and output
)
"""Classes of SQLSTATE, its first two characters."""
OUTAGES = (
    READ_ONLY,
    "25P03",  # the server ended a transaction that was idle for too long
    "25P04",  # the server ended a transaction that took too long
)
"""SQLSTATEs of outages in classes that hold defects too."""
REFUSED_LOGINS = {
    "28": "it refuses the login of Uplift",
    "3D": "it has no database of this name",
    "42501": "it denies Uplift a privilege",
}
"""What clients read in place of the server's message, which may name users, databases and tables."""
OF_NODES = (
    "connection to the remote node",
    "connection establishment for node",
    "failed to COPY to shard",
    "failed to complete COPY",
    "failed to prepare transaction",
    "failure on connection marked as essential",
)
"""How errors of Citus begin that name users and addresses of nodes, which clients must not read."""
NO_MATCHING_HOST = "TargetServerAttributeNotMatched"
"""The driver's exception. Importing asyncpg for its class would slow down each start, also on SQLite."""


def outage_reason(error: Exception) -> str | None:
    """The message of an outage, safe to show to clients; None for a defect."""
    if isinstance(error, (OSError, PoolTimeoutError)):
        return _without_addresses(error)
    # Errors in connecting and in COPY do not come through SQLAlchemy: they are those of the driver.
    original = error.orig if isinstance(error, DBAPIError) else error
    state = sqlstate(error)
    for prefix, reason in REFUSED_LOGINS.items():
        if state.startswith(prefix):
            return reason
    # SQLAlchemy raises errors of its own from those of the driver.
    if NO_MATCHING_HOST in (type(original).__name__, type(original and original.__cause__).__name__):
        return "no host of its URL has the role that target_session_attrs demands"
    is_cut = isinstance(error, DBAPIError) and error.connection_invalidated
    if not (is_cut or state.startswith(OUTAGE_CLASSES) or state in OUTAGES):
        return None
    message = str(original)
    return "a node of its cluster does not answer" if message.startswith(OF_NODES) else message


def _without_addresses(error: OSError | PoolTimeoutError) -> str:
    """The reason why the database is unreachable, without its address, because clients may see it."""
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or type(error).__name__}"
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else type(error).__name__
