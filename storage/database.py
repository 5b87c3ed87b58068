"""Opens, reads and writes an SQLite or PostgreSQL database."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy.engine import URL

from uplift.domain.errors import StoreUnavailable
from uplift.storage.backend import Backend, PoolUse
from uplift.storage.postgres.backend import PostgresBackend
from uplift.storage.schema import NEWEST, bring_up_to_date, is_newest
from uplift.storage.sql.connection import Connection
from uplift.storage.sqlite.backend import SqliteBackend


class Database:
    """An SQLite file or a PostgreSQL database: connections that read, and connections that write."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @classmethod
    def at(cls, where: Path | URL) -> Self:
        """The SQLite file of this path or the PostgreSQL database of this URL, with whichever schema."""
        return cls(SqliteBackend(where) if isinstance(where, Path) else PostgresBackend(where))

    @classmethod
    async def open(cls, where: Path | URL) -> Self:
        """As `at`, with the newest schema: an empty database gets it, and an SQLite file with an older one.

        Raises WrongSchema for any other schema.
        """
        database = cls.at(where)
        try:
            await database._require_newest_schema()  # noqa: SLF001  its own method
        except BaseException:
            await database.close()
            raise
        return database

    async def _require_newest_schema(self) -> None:
        async with self.reading() as connection:
            if await is_newest(connection):
                return
        async with self.migrating() as connection:
            await bring_up_to_date(connection, if_older=self._backend.migrates_itself)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """A connection for statements that only read, each on its own snapshot."""
        with self._outages_as_store_unavailable():
            async with self._backend.reading() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self, *, in_background: bool = False) -> AsyncIterator[Connection]:
        """A connection in a write transaction, committed at the end or rolled back on an error."""
        with self._outages_as_store_unavailable():
            async with self._backend.writing(in_background=in_background) as connection:
                yield connection

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[Connection]:
        """As `writing`, to change the schema: of several programs that want to, one at a time does it."""
        with self._outages_as_store_unavailable():
            async with self._backend.migrating() as connection:
                yield connection

    async def ping(self) -> None:
        """Ask the database for an answer. Raises when there is none, or it has another schema by now."""
        async with self.reading() as connection:
            if not await is_newest(connection):
                raise StoreUnavailable(f"its schema is not at revision {NEWEST} any more")

    async def analyze(self) -> None:
        """Have the database find out how much there is by now, after much was written at once.

        It plans its statements by what it knows of it.
        """
        with self._outages_as_store_unavailable():
            await self._backend.analyze()

    def pools(self) -> Mapping[str, PoolUse]:
        """How the pools of connections are used, by what they are for: `reading` and `writing`."""
        return self._backend.pools()

    async def close(self) -> None:
        await self._backend.close()

    @contextmanager
    def _outages_as_store_unavailable(self) -> Iterator[None]:
        """Say what an operator can mend, a lock or a full disk, by the domain's own error."""
        try:
            yield
        except Exception as error:
            why = self._backend.unavailable_reason(error)
            if why is None:
                raise
            raise StoreUnavailable(f"the database says '{why}'") from error
