"""Reads and writes requests that came with an idempotency key."""

from datetime import datetime

from sqlalchemy import bindparam, delete, select

from uplift.domain.model.idempotency import KEPT_FOR, IdempotencyKey, KnownRequest
from uplift.domain.model.selection import UpgradeId
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import upsert
from uplift.storage.sql.tables import request, upgrade
from uplift.storage.sql.upgrade_keys import UpgradeKeys

KNOWN_REQUEST = (
    select(request.c.digest, upgrade.c.uuid)
    .join(upgrade, upgrade.c.id == request.c.upgrade_id)
    .where(
        request.c.caller == bindparam("caller"),
        request.c.key == bindparam("key"),
        request.c.requested_at >= bindparam("since"),
    )
)
REMEMBER = upsert(request, keys=("caller", "key"), replaced=("digest", "upgrade_id", "requested_at"))
DELETE_OLD = delete(request).where(request.c.requested_at < bindparam("before"))


async def find_request(
    connection: Connection, idempotency_key: IdempotencyKey, since: datetime
) -> KnownRequest | None:
    bound = {"caller": idempotency_key.caller, "key": idempotency_key.key, "since": since}
    row = (await connection.execute(KNOWN_REQUEST, bound)).one_or_none()
    return None if row is None else KnownRequest(digest=row.digest, upgrade_id=UpgradeId(row.uuid))


async def remember_request(
    connection: Connection, idempotency_key: IdempotencyKey, upgrade_keys: UpgradeKeys, at: datetime
) -> None:
    """Store a request, and delete those that are too old to count."""
    await connection.execute(DELETE_OLD, {"before": at - KEPT_FOR})
    values = {
        "caller": idempotency_key.caller,
        "key": idempotency_key.key,
        "digest": idempotency_key.digest,
        "upgrade_id": upgrade_keys.id,
        "requested_at": at,
    }
    await connection.execute(REMEMBER, values)
