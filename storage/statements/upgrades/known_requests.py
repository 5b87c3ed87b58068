"""Stores the requests that were sent with an idempotency key, and finds them again."""

from datetime import datetime

from sqlalchemy import bindparam, delete, select

from uplift.domain.model.idempotency import KEPT_FOR, IdempotencyKey, KnownRequest
from uplift.domain.model.selection import UpgradeId
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import upsert
from uplift.storage.sql.tables import request, upgrade
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.sqlite.prepared import RUN_IN_THREAD, RUN_INLINE

KNOWN_REQUEST = (
    select(request.c.digest, upgrade.c.uuid)
    .join(upgrade, upgrade.c.id == request.c.upgrade_id)
    .where(
        request.c.caller == bindparam("caller"),
        request.c.key == bindparam("key"),
        request.c.requested_at >= bindparam("since"),
    )
    .execution_options(**RUN_INLINE)
)
REMEMBER = upsert(request, keys=("caller", "key"), replaced=("digest", "upgrade_id", "requested_at"))
DELETE_OLD_REQUESTS = (
    delete(request).where(request.c.requested_at < bindparam("before")).execution_options(**RUN_IN_THREAD)
)


async def find_request(
    connection: Connection, idempotency_key: IdempotencyKey, since: datetime
) -> KnownRequest | None:
    """The request with this key, if it is not older than `since`."""
    bound = {"caller": idempotency_key.caller, "key": idempotency_key.key, "since": since}
    row = (await connection.execute(KNOWN_REQUEST, bound)).one_or_none()
    return None if row is None else KnownRequest(digest=row.digest, upgrade_id=UpgradeId(row.uuid))


async def remember_request(
    connection: Connection, idempotency_key: IdempotencyKey, upgrade_keys: UpgradeKeys, at: datetime
) -> None:
    """Store that a request added this upgrade, and delete the requests that are kept no longer."""
    await connection.execute(DELETE_OLD_REQUESTS, {"before": at - KEPT_FOR})
    values = {
        "caller": idempotency_key.caller,
        "key": idempotency_key.key,
        "digest": idempotency_key.digest,
        "upgrade_id": upgrade_keys.id,
        "requested_at": at,
    }
    await connection.execute(REMEMBER, values)
