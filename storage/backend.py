"""What does one kind of database bring along, that the rest of the store need not know?"""

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from storage.connection import Connection


class Backend(Protocol):
    """Where connections come from."""

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A connection for statements that only read, each on its own snapshot."""

    def writing(self) -> AbstractAsyncContextManager[Connection]:
        """A connection in a write transaction, committed at the end or rolled back on an error."""

    def why_unavailable(self, error: Exception) -> str | None:
        """The words of the database for an error that an operator can mend, or that passes by itself.

        None means any other error.
        """

    async def close(self) -> None:
        """Close all connections."""
