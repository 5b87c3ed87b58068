"""Opens, reads and writes an SQLite or PostgreSQL database."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from sqlalchemy.engine import URL

from uplift.domain.errors import StoreUnavailable
from uplift.storage.backend import Backend, PoolUse
from uplift.storage.buckets.layout import read_layout
from uplift.storage.citus.examination import require_safe
from uplift.storage.postgres.backend import PostgresBackend
from uplift.storage.schema import NEWEST, bring_up_to_date, is_newest
from uplift.storage.sql.buckets import NO_BUCKETS, Layout, LayoutEngine
from uplift.storage.sql.connection import Connection
from uplift.storage.sqlite.backend import SqliteBackend


class Database:
    """An SQLite file or a PostgreSQL database, with connections to read, to write and to migrate."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._layout = NO_BUCKETS

    @classmethod
    def at(cls, where: Path | URL) -> Self:
        """The SQLite file at a path or the PostgreSQL database at a URL, without a check of its schema."""
        return cls(SqliteBackend(where) if isinstance(where, Path) else PostgresBackend(where))

    @classmethod
    async def open(cls, where: Path | URL) -> Self:
        """As `at`, with the newest schema. Creates it in an empty database, and migrates an SQLite file.

        Raises WrongSchema for any other schema, and UnsafeCluster for a cluster of Citus that is set up in a
        wrong way.
        """
        database = cls.at(where)
        try:
            await database._require_newest_schema()  # noqa: SLF001  its own method
            await database.read_layout()
            if database.layout.engine is LayoutEngine.CITUS:
                async with database.reading() as connection:
                    await require_safe(connection)
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

    @property
    def is_sqlite(self) -> bool:
        """Whether it is an SQLite file, in which one transaction writes at a time."""
        return isinstance(self._backend, SqliteBackend)

    @property
    def layout(self) -> Layout:
        """The buckets of its tables, as they were when it was opened: they change only while it is closed."""
        return self._layout

    async def read_layout(self) -> None:
        """Read the layout, which needs the newest schema."""
        async with self.reading() as connection:
            self._layout = await read_layout(connection)

    @asynccontextmanager
    async def reading(self, *, in_background: bool = False) -> AsyncIterator[Connection]:
        """A connection for reads in autocommit mode: each statement sees a snapshot of its own.

        Reads `in_background` yield to all others where they compete for the machine.
        """
        # This and `writing` do without `_outages_as_store_unavailable`, which each request would pay for.
        try:
            async with self._backend.reading(in_background=in_background) as connection:
                connection.layout = self._layout
                yield connection
        except Exception as error:
            self._raise_outage(error)
            raise

    @asynccontextmanager
    async def writing(self, *, in_background: bool = False) -> AsyncIterator[Connection]:
        """A connection in a write transaction, committed at the end or rolled back on an error."""
        try:
            async with self._backend.writing(in_background=in_background) as connection:
                connection.layout = self._layout
                yield connection
        except Exception as error:
            self._raise_outage(error)
            raise

    @asynccontextmanager
    async def migrating(self) -> AsyncIterator[Connection]:
        """As `writing`, to change the schema. One program at a time; others wait for up to a minute."""
        with self._outages_as_store_unavailable():
            async with self._backend.migrating() as connection:
                connection.layout = self._layout
                yield connection

    async def ping(self) -> None:
        """Check the database.

        Raises StoreUnavailable if it does not answer, takes no writes, or its schema has changed.
        """
        async with self.reading() as connection:
            if not await is_newest(connection):
                raise StoreUnavailable(f"its schema is not at revision {NEWEST}")
        with self._outages_as_store_unavailable():
            await self._backend.require_writable()

    async def now(self) -> datetime:
        """The present time by the clock that all programs of this database share, in UTC."""
        with self._outages_as_store_unavailable():
            return await self._backend.now()

    async def analyze(self) -> None:
        """Refresh the planner's statistics after a bulk load.

        With outdated statistics PostgreSQL plans for an empty table until autovacuum analyzes it.
        """
        with self._outages_as_store_unavailable():
            await self._backend.analyze()

    async def release_memory(self) -> None:
        """Free what idle connections keep in memory, if it can be read again."""
        with self._outages_as_store_unavailable():
            await self._backend.release_memory()

    def pools(self) -> Mapping[str, PoolUse]:
        """The use of each pool, by its purpose: `reading` or `writing`."""
        return self._backend.pools()

    async def close(self) -> None:
        await self._backend.close()

    @contextmanager
    def _outages_as_store_unavailable(self) -> Iterator[None]:
        """Raise StoreUnavailable for an outage such as a lock timeout or a full disk."""
        try:
            yield
        except Exception as error:
            self._raise_outage(error)
            raise

    def _raise_outage(self, error: Exception) -> None:
        why = self._backend.unavailable_reason(error)
        if why is not None:
            raise StoreUnavailable(f"the database says '{why}'") from error
