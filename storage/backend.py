"""The protocol of a kind of database: its connections, locks and errors."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from uplift.storage.sql.connection import Connection


class PoolUse(NamedTuple):
    """How many connections of a pool are in use, and how many there can be."""

    in_use: int
    limit: int


class Backend(Protocol):
    """Where connections come from."""

    migrates_itself: bool
    """Whether the program that opens a database with an older schema migrates it."""

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A connection for statements that only read, each on its own snapshot."""

    def writing(self, *, in_background: bool) -> AbstractAsyncContextManager[Connection]:
        """A connection in a write transaction, committed at the end or rolled back on an error.

        One in the background lets all others go first where they compete for the machine.
        """

    def migrating(self) -> AbstractAsyncContextManager[Connection]:
        """As `writing`, to change the schema: one program at a time has it, and others wait for long."""

    async def analyze(self) -> None:
        """Have the database find out how much there is by now, after much was written at once."""

    def unavailable_reason(self, error: Exception) -> str | None:
        """The words of the database for an error that an operator can mend, or that passes by itself.

        None means any other error.
        """

    def pools(self) -> Mapping[str, PoolUse]:
        """How the pools are used, by what they are for: `reading` and `writing`."""

    async def close(self) -> None:
        """Close all connections."""
