"""Defines the protocol that each database backend implements: connections, locks and errors."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

from uplift.storage.sql.connection import Connection


class PoolUse(NamedTuple):
    """The connections of a pool that are in use, and their upper limit."""

    in_use: int
    limit: int


class Backend(Protocol):
    """Opens the connections of one database, and translates its errors."""

    migrates_itself: bool
    """Whether opening a database with an older schema migrates it. If not, an operator has to."""

    def reading(self, *, in_background: bool = False) -> AbstractAsyncContextManager[Connection]:
        """A connection for reads in autocommit mode: each statement sees a snapshot of its own.

        Reads `in_background` yield CPU time to all others, if the backend can arrange that.
        """

    def writing(self, *, in_background: bool) -> AbstractAsyncContextManager[Connection]:
        """A connection in a write transaction, committed at the end or rolled back on an error.

        A transaction `in_background` yields CPU time to all others, if the backend can arrange that.
        """

    def migrating(self) -> AbstractAsyncContextManager[Connection]:
        """As `writing`, to change the schema. One program at a time; others wait for up to a minute."""

    async def require_writable(self) -> None:
        """Raise StoreUnavailable if the database answers, but takes no writes now."""

    async def now(self) -> datetime:
        """The present time by the clock that all programs of this database share."""

    async def analyze(self) -> None:
        """Refresh the planner's statistics after a bulk load."""

    async def release_memory(self) -> None:
        """Free what idle connections keep in memory, if it can be read again."""

    def unavailable_reason(self, error: Exception) -> str | None:
        """The database's message, if the error is an outage: transient, or for an operator to repair.

        None for any other error, which is a defect.
        """

    def pools(self) -> Mapping[str, PoolUse]:
        """The use of each pool, by its purpose: `reading` or `writing`."""

    async def close(self) -> None:
        """Close all connections."""
