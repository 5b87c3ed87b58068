"""A database whose program dies at a chosen statement."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.support.mortal import Life
from uplift.storage.database import Database


class MortalDatabase:
    """A database as one program uses it. Each statement of a transaction is a moment, and each end of one."""

    def __init__(self, database: Database, life: Life) -> None:
        self._database = database
        self._life = life

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @asynccontextmanager
    async def writing(self, *, in_background: bool = False) -> AsyncIterator[Any]:
        async with self._database.writing(in_background=in_background) as connection:
            yield MortalConnection(connection, self._life)
            self._life.moment()
        self._life.moment()


class MortalConnection:
    """A connection in a transaction, which is rolled back at the death of its program."""

    def __init__(self, connection: Any, life: Life) -> None:
        self._connection = connection
        self._life = life

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """The class of the connection: what is saved depends on the kind of database."""
        return type(self._connection)

    async def execute(self, *about: Any, **more: Any) -> Any:
        self._life.moment()
        return await self._connection.execute(*about, **more)

    async def execute_later(self, *about: Any) -> Any:
        self._life.moment()
        return await self._connection.execute_later(*about)

    async def insert_later(self, *about: Any) -> Any:
        self._life.moment()
        return await self._connection.insert_later(*about)

    async def exec_driver_sql(self, *about: Any) -> Any:
        self._life.moment()
        return await self._connection.exec_driver_sql(*about)
