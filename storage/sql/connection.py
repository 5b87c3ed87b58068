"""The connection that statements run on."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection


class Connection(AsyncConnection):
    """A connection that may defer a statement whose result is not needed yet."""

    async def execute_later(self, statement: Any, parameters: Any) -> Any:
        """Execute a statement whose `rowcount` is only asked for when a later one is answered."""
        return await self.execute(statement, parameters)
