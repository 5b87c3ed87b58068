"""Extends SQLAlchemy's connection by statements that may be deferred."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from uplift.storage.sql.buckets import NO_BUCKETS, Layout


class Connection(AsyncConnection):
    """A connection on which a statement may be deferred until the next one is executed."""

    layout: Layout = NO_BUCKETS
    """Which buckets the tables of the database are divided into."""

    async def execute_later(self, statement: Any, parameters: Any) -> Any:
        """Execute a statement now or along with the next one.

        Read `rowcount` or `scalar_one()` of the result only after a later statement has been executed.
        """
        return await self.execute(statement, parameters)

    def expect_few_rows(self) -> None:
        """Promise that each later statement of the transaction reads and writes a few rows, by an index.

        Statements that may take longer have the execution options RUN_IN_THREAD.
        """
