"""How shares of upgrades are kept, and which one a worker should take."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, bindparam, delete, func, insert, or_, select, update

from uplift.domain.model.selection import AllActive, ByIds, UpgradeId, WorkedSelection
from uplift.domain.model.upgrade import Lease, Share, Upgrade, UpgradeState
from uplift.domain.ports import HeldShare
from uplift.storage.repositories.upgrades import UPGRADE_COLUMNS, lock_upgrade, opened_of, upgrades_of
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import take_turns
from uplift.storage.sql.id_list import GIVEN, given
from uplift.storage.sql.surrogate_keys import Identities
from uplift.storage.sql.tables import IS_WAITING, instance, outcome, share, upgrade
from uplift.storage.sql.upgrade_keys import Opened
from uplift.storage.sqlite.prepared import BRIEF

other = upgrade.alias("other")
other_share = share.alias("other_share")
NOW: BindParameter[datetime] = bindparam("now")
OTHERS = (
    select(func.count())
    .where(
        other_share.c.upgrade_id == share.c.upgrade_id,
        other_share.c.last_key != share.c.last_key,
        other_share.c.lease_until >= NOW,
    )
    .scalar_subquery()
    .label("others")
)
SHARE_COLUMNS = (share.c.last_key, share.c.cursor, share.c.lease_worker, share.c.lease_until)
WITH_UPGRADE = select(*UPGRADE_COLUMNS, *SHARE_COLUMNS).join_from(
    share, upgrade, upgrade.c.id == share.c.upgrade_id
)
WORKED_ON = (
    select(other.c.id)
    .join(other_share, other_share.c.upgrade_id == other.c.id)
    .where(
        other.c.process_id == upgrade.c.process_id,
        other.c.state == UpgradeState.RUNNING,
        other_share.c.lease_until >= NOW,
    )
)
IS_QUEUED = upgrade.c.state == UpgradeState.QUEUED
IS_RUNNING = upgrade.c.state == UpgradeState.RUNNING
IS_FREE = or_(
    # A lease on an upgrade that was stopped meanwhile is worth nothing.
    IS_QUEUED,
    share.c.lease_until.is_(None),
    share.c.lease_until < NOW,
)
CLAIMABLE = tuple(
    WITH_UPGRADE.where(IS_WAITING, condition).order_by(upgrade.c.id, share.c.last_key).limit(1)
    # Each finds its first without a look at all that wait, or at any that has ended.
    for condition in (
        (IS_QUEUED | (share.c.lease_until < NOW)) & ~WORKED_ON.exists(),
        IS_RUNNING & share.c.lease_until.is_(None) & ~WORKED_ON.exists(),
        IS_RUNNING & IS_FREE & WORKED_ON.where(other.c.id == upgrade.c.id).exists(),
    )
)
"""The first free share of the oldest upgrade that waits for its first worker, or one in place of a dead one;
or else of one that was left for such an upgrade; or else of one that others work on."""
CLAIMABLE_OF_ONE = tuple(claimable.where(upgrade.c.uuid == bindparam("uuid")) for claimable in CLAIMABLE)
LOCKED_CLAIMABLE, LOCKED_CLAIMABLE_OF_ONE = (
    tuple(
        claimable.with_only_columns(
            upgrade.c.id, upgrade.c.uuid, upgrade.c.process_id, share.c.last_key
        ).with_for_update(of=share, key_share=True, skip_locked=True)
        for claimable in either
    )
    for either in (CLAIMABLE, CLAIMABLE_OF_ONE)
)
THAT_ENDS_THERE = (share.c.upgrade_id == bindparam("of_upgrade")) & (
    share.c.last_key == bindparam("its_last")
)
STILL_CLAIMABLE = WITH_UPGRADE.where(
    IS_WAITING, IS_FREE, ~WORKED_ON.where(other.c.id != upgrade.c.id).exists(), THAT_ENDS_THERE
)
HELD = (
    WITH_UPGRADE.add_columns(OTHERS)
    .where(upgrade.c.uuid == bindparam("uuid"), share.c.lease_worker == bindparam("worker"))
    .order_by(share.c.last_key)
    .limit(1)
    .with_for_update(of=share, key_share=True)
    .execution_options(**BRIEF)
)
LEFT = (
    select(*SHARE_COLUMNS)
    .where(share.c.upgrade_id == bindparam("of_upgrade"))
    .order_by(share.c.last_key)
    .execution_options(**BRIEF)
)
LEFT_OF_MANY = (
    select(upgrade.c.uuid, *SHARE_COLUMNS)
    .join_from(GIVEN, upgrade, upgrade.c.uuid == GIVEN.c.uuid)
    .join(share, share.c.upgrade_id == upgrade.c.id)
    .order_by(share.c.last_key)
)
LAST_EARLIER = select(func.coalesce(func.max(outcome.c.instance_id), 0)).where(
    outcome.c.upgrade_id == bindparam("of_upgrade")
)
LAST_INSTANCE = select(func.coalesce(func.max(instance.c.id), 0)).where(
    instance.c.process_id == bindparam("of_process")
)
ADD = insert(share)
SAVE = (
    update(share)
    .where(THAT_ENDS_THERE)
    .values({name: bindparam(f"new_{name}") for name in ("cursor", "lease_worker", "lease_until")})
)
END = delete(share).where(THAT_ENDS_THERE)


async def find_claimable(
    connection: Connection, identities: Identities, now: datetime, only: UpgradeId | None
) -> Upgrade | None:
    """The upgrade of which a worker should take a share now, or this one."""
    for claimable in CLAIMABLE if only is None else CLAIMABLE_OF_ONE:
        rows = (await connection.execute(claimable, {"now": now, "uuid": only})).all()
        if (found := await _first(identities, rows)) is not None:
            return found[0]
    return None


async def lock_claimable(
    connection: Connection, identities: Identities, now: datetime, only: UpgradeId | None
) -> tuple[Upgrade, Share, Opened] | None:
    """The share to take, among those that nobody else is about to take.

    Nobody else changes it or its upgrade, or takes a share of another upgrade of the process, until the
    transaction ends.
    """
    for claimable in LOCKED_CLAIMABLE if only is None else LOCKED_CLAIMABLE_OF_ONE:
        locked = (await connection.execute(claimable, {"now": now, "uuid": only})).one_or_none()
        if locked is not None:
            break
    else:
        return None
    await take_turns(connection, "claim", str(locked.process_id))
    await lock_upgrade(connection, identities, UpgradeId(locked.uuid))
    # Others may have changed what these statements waited for: now that can be seen.
    bound = {"now": now, "of_upgrade": locked.id, "its_last": locked.last_key}
    return await _first(identities, (await connection.execute(STILL_CLAIMABLE, bound)).all())


async def lock_held(
    connection: Connection, identities: Identities, wanted: UpgradeId, worker: str, now: datetime
) -> tuple[HeldShare, Opened] | None:
    """The first share of an upgrade that is leased to this worker; nobody else changes it."""
    rows = (await connection.execute(HELD, {"uuid": wanted, "worker": worker, "now": now})).all()
    if (found := await _first(identities, rows)) is None:
        return None
    return HeldShare(upgrade=found[0], share=found[1], workers=rows[0].others + 1), found[2]


async def shares_left(connection: Connection, opened: Opened, of: UpgradeId) -> tuple[Share, ...]:
    """What is left of an upgrade, along its selection."""
    rows = await connection.execute(LEFT, {"of_upgrade": opened.id})
    return tuple(_share(row, of) for row in rows)


async def find_shares(
    connection: Connection, upgrades: Sequence[UpgradeId]
) -> Mapping[UpgradeId, tuple[Share, ...]]:
    """What is left of each of these upgrades."""
    found: dict[UpgradeId, list[Share]] = defaultdict(list)
    for row in await connection.execute(LEFT_OF_MANY, given(upgrades)):
        found[row.uuid].append(_share(row, row.uuid))
    return {wanted: tuple(found[wanted]) for wanted in upgrades}


async def whole(connection: Connection, opened: Opened, of: UpgradeId, selection: WorkedSelection) -> Share:
    """The share that is all of a new upgrade."""
    if isinstance(selection, ByIds):
        return Share(upgrade=of, cursor=0, last=len(selection.ids))
    if isinstance(selection, AllActive):
        found = await connection.execute(LAST_INSTANCE, {"of_process": opened.process_id})
    else:
        found = await connection.execute(LAST_EARLIER, {"of_upgrade": opened.of_upgrade_id})
    return Share(upgrade=of, cursor=0, last=found.scalar_one())


async def add_share(connection: Connection, opened: Opened, new: Share) -> None:
    await connection.send(ADD, {"upgrade_id": opened.id, "last_key": new.last, **_changing(new)})


async def save_share(connection: Connection, opened: Opened, changed: Share) -> None:
    values = {f"new_{name}": value for name, value in _changing(changed).items()}
    await connection.send(SAVE, {"of_upgrade": opened.id, "its_last": changed.last, **values})


async def end_share(connection: Connection, opened: Opened, done: Share) -> None:
    await connection.send(END, {"of_upgrade": opened.id, "its_last": done.last})


async def _first(identities: Identities, rows: Sequence[Any]) -> tuple[Upgrade, Share, Opened] | None:
    if not rows:
        return None
    (found,) = await upgrades_of(identities, rows)
    return found, _share(rows[0], found.id), opened_of(rows[0])


def _share(row: Any, of: UpgradeId) -> Share:
    lease = None if row.lease_worker is None else Lease(worker=row.lease_worker, until=row.lease_until)
    return Share(upgrade=of, cursor=row.cursor, last=row.last_key, lease=lease)


def _changing(one: Share) -> dict[str, Any]:
    return {
        "cursor": one.cursor,
        "lease_worker": None if one.lease is None else one.lease.worker,
        "lease_until": None if one.lease is None else one.lease.until,
    }
