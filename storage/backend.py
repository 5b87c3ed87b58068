"""What does one kind of database bring along, that the rest of the store need not know?"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from storage.connection import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Where connections come from that read, each statement on its own snapshot, and that write.

    `connect` makes a connection of an engine. `turn` is held as long as a connection writes.
    `why_unavailable` tells an error that an operator can mend, or that is gone when one tries again, in the
    words of the database; None means any other error.
    """

    readers: AsyncEngine
    writers: AsyncEngine
    connect: Callable[[AsyncEngine], Connection]
    turn: AbstractAsyncContextManager[Any]
    why_unavailable: Callable[[Exception], str | None]
