"""Keeps connections to SQLite open, and lends each to one task at a time."""

from asyncio import Semaphore, shield
from collections.abc import Awaitable, Callable

from uplift.storage.backend import PoolUse
from uplift.storage.sqlite.driver import SqliteConnection
from uplift.storage.sqlite.files import DatabaseFiles


class ConnectionPool:
    """A pool of connections that are opened on demand, up to a limit, and kept open."""

    def __init__(self, open_connection: Callable[[], Awaitable[SqliteConnection]], limit: int) -> None:
        self._open_connection = open_connection
        self._free = Semaphore(limit)
        self._limit = limit
        self._in_use = 0
        self._idle: list[SqliteConnection] = []

    def acquire(self, files: DatabaseFiles | None = None) -> "TakenConnection":
        """A connection of the pool for the length of a block; if given, its files must be in their places."""
        return TakenConnection(self, files)

    async def take(self) -> SqliteConnection:
        """Take a connection out of the pool, once one is free."""
        await self._free.acquire()
        try:
            connection = self._idle.pop() if self._idle else await self._open_connection()
        except BaseException:
            self._free.release()
            raise
        self._in_use += 1
        return connection

    def release(self, connection: SqliteConnection) -> None:
        """Return a connection to the pool."""
        self._in_use -= 1
        if not connection.invalidated:
            self._idle.append(connection)
        self._free.release()

    async def renew_idle(self) -> None:
        """Put a new connection in the place of all that are idle now.

        The new one is opened first: SQLite deletes the WAL when the last connection is closed.
        """
        if not self._idle:
            return
        new = await self._open_connection()
        if self._idle:
            old, self._idle = self._idle, [new]
        else:  # others took all of them, or closed the pool
            old = [new]
        await shield(_close(old))  # otherwise, if cancelled, their threads would never end

    @property
    def use(self) -> PoolUse:
        return PoolUse(self._in_use, self._limit)

    async def close(self) -> None:
        while self._idle:  # read anew each time: `renew_idle` may put another list in its place
            await self._idle.pop().close()


async def _close(connections: list[SqliteConnection]) -> None:
    while connections:
        await connections.pop().close()


class TakenConnection:
    """A connection of a pool for the length of a block. A class, because each request would pay for more."""

    __slots__ = ("_connection", "_files", "_pool")

    def __init__(self, pool: ConnectionPool, files: DatabaseFiles | None) -> None:
        self._pool = pool
        self._files = files

    async def __aenter__(self) -> SqliteConnection:
        connection = self._connection = await self._pool.take()
        if self._files is not None:
            try:
                connection.files = self._files.require_present(connection.files)
            except BaseException:
                self._pool.release(connection)
                raise
        return connection

    async def __aexit__(self, *_: object) -> None:
        self._pool.release(self._connection)
