"""Stores API keys with the digests of their secrets, and counts their uses."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, func, select, update

from uplift.domain.model.access import ApiKey, KeyUse
from uplift.storage.database import Database
from uplift.storage.sql.codecs import decode_namespaces, encode_namespaces
from uplift.storage.sql.dialect import insert_many, insert_new, upsert_adding
from uplift.storage.sql.tables import api_key, key_use
from uplift.storage.sqlite.prepared import RUN_INLINE

KEYS = select(api_key).order_by(api_key.c.created_at, api_key.c.name)
KEY = select(api_key).where(api_key.c.digest == bindparam("digest")).execution_options(**RUN_INLINE)
COUNT = select(func.count()).select_from(api_key)
KEYS_BY_ID = select(api_key).where(api_key.c.id.in_(bindparam("ids", expanding=True)))
ADD = insert_new(api_key)
REVOKE = (
    update(api_key)
    .where(api_key.c.id == bindparam("of_id"), api_key.c.revoked_at.is_(None))
    .values(revoked_at=bindparam("at"), revoked_by=bindparam("by"))
)
ADD_USES = upsert_adding(key_use, keys=["key_id", "day", "accepted"], counts=["times"], latest=["last_at"])
USES = select(key_use).order_by(key_use.c.last_at)
LAST_USES = (
    select(key_use.c.key_id, func.max(key_use.c.last_at)).where(key_use.c.accepted).group_by(key_use.c.key_id)
)

FIRST_DAY = date(1970, 1, 1)
"""A day is stored as the number of days since this one."""


class SqlKeys:
    """Stores API keys in the database of the store.

    All servers refuse a revoked key from the next request on.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey, digest: bytes) -> bool:
        """Add a key. Returns False when another key that is not revoked has its name.

        Waits for a concurrent transaction that adds the same name.
        """
        values = {
            "id": key.id,
            "name": key.name,
            "role": key.role,
            "digest": digest,
            "created_at": key.created_at,
            "created_by": key.created_by,
            "namespaces": encode_namespaces(key.namespaces),
            "expires_at": key.expires_at,
            "revoked_at": key.revoked_at,
            "revoked_by": key.revoked_by,
        }
        async with self._database.writing() as connection:
            added: int = (await connection.execute(ADD, values)).rowcount
        return added == 1

    async def find(self, digest: bytes) -> ApiKey | None:
        """The key of this digest, valid or not.

        The time of the index lookup may reveal something about digests, but not about their secrets.
        """
        async with self._database.reading() as connection:
            row = (await connection.execute(KEY, {"digest": digest})).one_or_none()
        return None if row is None else _key(row)

    async def find_many(self, ids: Collection[UUID]) -> Mapping[UUID, ApiKey]:
        """The keys that have these ids, valid or not."""
        async with self._database.reading() as connection:
            rows = await connection.execute(KEYS_BY_ID, {"ids": list(ids)})
            return {key.id: key for key in map(_key, rows)}

    async def all(self) -> Sequence[ApiKey]:
        """Every key that was ever created, the oldest first."""
        async with self._database.reading() as connection:
            return [_key(row) for row in await connection.execute(KEYS)]

    async def is_empty(self) -> bool:
        """Whether no key was ever created."""
        async with self._database.reading() as connection:
            count: int = (await connection.execute(COUNT)).scalar_one()
        return count == 0

    async def revoke(self, key: UUID, at: datetime, *, by: str | None = None) -> bool:
        """Revoke a key. Returns False when the key does not exist or is already revoked."""
        async with self._database.writing() as connection:
            revoked: int = (await connection.execute(REVOKE, {"of_id": key, "at": at, "by": by})).rowcount
        return revoked == 1

    async def add_uses(self, uses: Sequence[KeyUse]) -> None:
        """Add uses to the stored counts. Expects at least one use."""
        rows = [
            {
                "key_id": use.key_id,
                "day": (use.day - FIRST_DAY).days,
                "accepted": use.accepted,
                "times": use.times,
                "last_at": use.last_at,
            }
            # In the order of the keys: two gateways store the same rows, and two orders could deadlock.
            for use in sorted(uses, key=lambda use: (use.key_id, use.day, use.accepted))
        ]
        async with self._database.writing() as connection:
            await insert_many(connection, ADD_USES, rows)

    async def uses(self) -> Sequence[KeyUse]:
        """The uses of all keys by day, the latest last."""
        async with self._database.reading() as connection:
            return [_use(row) for row in await connection.execute(USES)]

    async def last_uses(self) -> Mapping[UUID, datetime]:
        """When each key was last accepted, if it ever was."""
        async with self._database.reading() as connection:
            return dict([*await connection.execute(LAST_USES)])


def _key(row: Any) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        role=row.role,
        created_at=row.created_at,
        created_by=row.created_by,
        namespaces=decode_namespaces(row.namespaces),
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        revoked_by=row.revoked_by,
    )


def _use(row: Any) -> KeyUse:
    return KeyUse(
        key_id=row.key_id,
        day=FIRST_DAY + timedelta(days=row.day),
        accepted=row.accepted,
        times=row.times,
        last_at=row.last_at,
    )
