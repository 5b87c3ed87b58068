"""Where API keys are kept: never a key itself, only the digest of its secret."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update

from domain.access import ApiKey
from storage.database import Database
from storage.tables import api_key

KEYS = select(api_key).order_by(api_key.c.created_at, api_key.c.name)
VALID_KEY = select(api_key).where(api_key.c.digest == bindparam("digest"), api_key.c.revoked_at.is_(None))
COUNT = select(func.count()).select_from(api_key)
ADD = insert(api_key)
REVOKE = (
    update(api_key)
    .where(api_key.c.id == bindparam("of_id"), api_key.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"))
)


class SqlKeys:
    """The API keys, in the store's own database. A revocation counts from the next request on, everywhere."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, digest: bytes) -> None:
        values = {
            "id": key.id,
            "name": key.name,
            "role": key.role,
            "digest": digest,
            "created_at": key.created_at,
            "revoked_at": key.revoked_at,
        }
        async with self._database.writing() as connection:
            await connection.execute(ADD, values)

    async def find_valid(self, digest: bytes) -> ApiKey | None:
        """The key of this digest, unless it is unknown or revoked."""
        async with self._database.reading() as connection:
            row = (await connection.execute(VALID_KEY, {"digest": digest})).one_or_none()
        return None if row is None else _key(row)

    async def all(self) -> Sequence[ApiKey]:
        async with self._database.reading() as connection:
            return [_key(row) for row in await connection.execute(KEYS)]

    async def is_empty(self) -> bool:
        """Whether no key was ever created."""
        async with self._database.reading() as connection:
            count: int = (await connection.execute(COUNT)).scalar_one()
        return count == 0

    async def revoke(self, key: UUID, at: datetime) -> bool:
        """Revoke a key; False when there is no such key that was still valid."""
        async with self._database.writing() as connection:
            revoked: int = (await connection.execute(REVOKE, {"of_id": key, "at": at})).rowcount
        return revoked == 1


def _key(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id, name=row.name, role=row.role, created_at=row.created_at, revoked_at=row.revoked_at
    )
