"""Adds, reads and prunes what operators did to upgrades."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, delete, func, insert, select

from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade_event import MAX_EVENTS, UpgradeEvent, UpgradeEventKind
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import upgrade, upgrade_event
from uplift.storage.sql.upgrade_keys import UpgradeKeys

NEXT_NUMBER = func.coalesce(func.max(upgrade_event.c.number), 0) + 1
"""Unique, because a transaction that adds an event has locked the upgrade."""
ADD_EVENT = insert(upgrade_event).from_select(
    ["upgrade_id", "number", "at", "kind", "caller"],
    select(
        bindparam("of_id", type_=upgrade_event.c.upgrade_id.type),
        NEXT_NUMBER,
        bindparam("at", type_=upgrade_event.c.at.type),
        bindparam("kind", type_=upgrade_event.c.kind.type),
        bindparam("caller", type_=upgrade_event.c.caller.type),
    ).where(upgrade_event.c.upgrade_id == bindparam("of_id")),
)
LATEST = (
    select(
        upgrade.c.uuid,
        upgrade_event,
        func.row_number()
        .over(partition_by=upgrade_event.c.upgrade_id, order_by=upgrade_event.c.number.desc())
        .label("place"),
    )
    .join_from(upgrade, upgrade_event, upgrade_event.c.upgrade_id == upgrade.c.id)
    .where(upgrade.c.uuid.in_(bindparam("uuids", expanding=True)))
    .subquery("latest")
)
EVENTS = select(LATEST).where(LATEST.c.place <= MAX_EVENTS).order_by(LATEST.c.upgrade_id, LATEST.c.number)
DELETE_PAUSES = delete(upgrade_event).where(
    upgrade_event.c.upgrade_id == bindparam("of_id"),
    upgrade_event.c.kind.in_((UpgradeEventKind.PAUSED, UpgradeEventKind.RESUMED)),
)


async def add_event(connection: Connection, upgrade_keys: UpgradeKeys, event: UpgradeEvent) -> None:
    values = {"of_id": upgrade_keys.id, "at": event.at, "kind": event.kind, "caller": event.by}
    await connection.execute(ADD_EVENT, values)


async def operator_events(
    connection: Connection, ids: Sequence[UpgradeId]
) -> Mapping[UpgradeId, tuple[UpgradeEvent, ...]]:
    """What operators did to each upgrade, the oldest first."""
    events: dict[UpgradeId, list[UpgradeEvent]] = defaultdict(list)
    for row in await connection.execute(EVENTS, {"uuids": list(ids)}):
        events[row.uuid].append(UpgradeEvent(at=row.at, kind=row.kind, by=row.caller))
    return {upgrade_id: tuple(events[upgrade_id]) for upgrade_id in ids}


async def prune_pauses(connection: Connection, upgrade_keys: UpgradeKeys) -> None:
    """Delete when an upgrade was paused and resumed, and by whom."""
    await connection.execute(DELETE_PAUSES, {"of_id": upgrade_keys.id})
