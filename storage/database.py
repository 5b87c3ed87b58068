"""How a database is opened, read and written, whichever it is."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Self

from sqlalchemy.engine import URL

from domain.errors import StoreUnavailable
from storage import tables
from storage.backend import Backend
from storage.connection import Connection
from storage.dialect import take_turns
from storage.postgres import PostgresBackend
from storage.sqlite import SqliteBackend


class Database:
    """An SQLite file or a PostgreSQL database: connections that read, and connections that write."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @classmethod
    async def open(cls, where: Path | URL) -> Self:
        """Open the SQLite file of this path or the PostgreSQL database of this URL, with its tables."""
        database = cls(SqliteBackend(where) if isinstance(where, Path) else PostgresBackend(where))
        async with database.writing() as connection:
            await take_turns(connection, "schema")
            await connection.run_sync(tables.metadata.create_all)
        return database

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """A connection for statements that only read, each on its own snapshot."""
        with self._expected_failures():
            async with self._backend.reading() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        """A connection in a write transaction, committed at the end or rolled back on an error."""
        with self._expected_failures():
            async with self._backend.writing() as connection:
                yield connection

    async def ping(self) -> None:
        """Ask the database for an answer; raises when there is none."""
        async with self.reading() as connection:
            await connection.exec_driver_sql("SELECT 1")

    async def close(self) -> None:
        await self._backend.close()

    @contextmanager
    def _expected_failures(self) -> Iterator[None]:
        """Say what an operator can mend, a lock or a full disk, by the domain's own error."""
        try:
            yield
        except Exception as error:
            why = self._backend.why_unavailable(error)
            if why is None:
                raise
            raise StoreUnavailable(f"the database says '{why}'") from error
