"""How upgrades are kept and found."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.decision import CountedDecision
from domain.paging import Page, PageRequest, page_of
from domain.process import ProcessKey, VersionNumber
from domain.selection import AllActive, ByIds, Selection
from domain.upgrade import Upgrade, UpgradeId, UpgradeState
from storage.decisions import decision_of
from storage.documents import mappings_of, stored_mappings
from storage.given import GIVEN, given
from storage.identities import Identities
from storage.opened import Opened
from storage.tables import IS_ACTIVE, decision, instance, selected, upgrade

UPGRADES = select(upgrade)
UPGRADE = UPGRADES.where(upgrade.c.uuid == bindparam("uuid"))
UNFINISHED = UPGRADES.where(upgrade.c.state == UpgradeState.RUNNING).order_by(upgrade.c.id)
LAST_INSTANCE = select(func.coalesce(func.max(instance.c.id), 0)).where(
    instance.c.process_id == bindparam("of_process")
)
ADD_UPGRADE = insert(upgrade)
SELECT_GIVEN = insert(selected).from_select(
    ["upgrade_id", "ordinal", "uuid", "instance_id"],
    select(bindparam("upgrade_id"), GIVEN.c.ordinal, GIVEN.c.uuid, instance.c.id).outerjoin_from(
        GIVEN,
        instance,
        (instance.c.uuid == GIVEN.c.uuid) & (instance.c.process_id == bindparam("process_id")),
    ),
)
COUNT_EXCLUDED = (
    select(func.count())
    .join_from(selected, instance, instance.c.id == selected.c.instance_id)
    .where(selected.c.upgrade_id == bindparam("upgrade_id"), IS_ACTIVE)
)
SAVE_UPGRADE = (
    update(upgrade)
    .where(upgrade.c.id == bindparam("upgrade_id"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in ("state", "cursor", "upgraded", "skipped", "excluded", "finished_at")
        }
    )
)
SKIPS = (
    select(upgrade.c.uuid, decision)
    .join_from(upgrade, decision, decision.c.upgrade_id == upgrade.c.id)
    .where(upgrade.c.uuid.in_(bindparam("uuids", expanding=True)), decision.c.to_position_id.is_(None))
    .order_by(decision.c.upgrade_id, decision.c.version, decision.c.status, decision.c.position_id)
)


async def find_upgrade(
    connection: AsyncConnection, identities: Identities, wanted: UpgradeId
) -> tuple[Upgrade, Opened] | None:
    """An upgrade, and what only the store knows of it."""
    row = (await connection.execute(UPGRADE, {"uuid": wanted})).one_or_none()
    if row is None:
        return None
    opened = Opened(id=row.id, process_id=row.process_id, last_key=row.last_key)
    return _upgrade(row, await identities.process_key(row.process_id)), opened


async def upgrade_page(
    connection: AsyncConnection, identities: Identities, key: ProcessKey | None, page: PageRequest
) -> Page[Upgrade]:
    process_id = None if key is None else await identities.process_id(key)
    if key is not None and process_id is None:
        return page_of((), page.first)
    rows = (await connection.execute(_listing(process_id, page))).all()
    found = await _upgrades(identities, rows)
    return page_of(((row.id, one) for row, one in zip(rows, found, strict=True)), page.first)


async def unfinished_upgrades(connection: AsyncConnection, identities: Identities) -> tuple[Upgrade, ...]:
    return tuple(await _upgrades(identities, (await connection.execute(UNFINISHED)).all()))


async def find_decisions(
    connection: AsyncConnection, identities: Identities, upgrades: Sequence[UpgradeId]
) -> Mapping[UpgradeId, tuple[CountedDecision, ...]]:
    rows = (await connection.execute(SKIPS, {"uuids": list(upgrades)})).all()
    positions = await identities.positions(row.position_id for row in rows)
    found: dict[UpgradeId, list[CountedDecision]] = defaultdict(list)
    for row in rows:
        found[row.uuid].append(CountedDecision(decision=decision_of(row, positions), count=row.instances))
    return {wanted: tuple(found[wanted]) for wanted in upgrades}


async def add_upgrade(
    connection: AsyncConnection, process_id: int, new: Upgrade, selection: Selection
) -> tuple[Upgrade, Opened]:
    """Keep a new upgrade and the ids it names; returns it with what only the store knows of it."""
    last_key = await _last_key(connection, process_id, selection)
    added = await connection.execute(ADD_UPGRADE, _row(new, process_id, last_key))
    assert added.inserted_primary_key is not None, "an INSERT of one row tells its key"
    opened = Opened(id=added.inserted_primary_key[0], process_id=process_id, last_key=last_key)
    ids = selection.ids if isinstance(selection, ByIds) else selection.excluded
    bound = {"upgrade_id": opened.id, "process_id": process_id}
    if ids:
        await connection.execute(SELECT_GIVEN, {**bound, **given(ids)})
    if isinstance(selection, AllActive) and ids:
        counted = replace(new, excluded=(await connection.execute(COUNT_EXCLUDED, bound)).scalar_one())
        await save_upgrade(connection, opened, counted)
        return counted, opened
    return new, opened


async def save_upgrade(connection: AsyncConnection, opened: Opened, changed: Upgrade) -> None:
    values = {
        "upgrade_id": opened.id,
        "new_state": changed.state,
        "new_cursor": changed.cursor,
        "new_upgraded": changed.upgraded,
        "new_skipped": changed.skipped,
        "new_excluded": changed.excluded,
        "new_finished_at": changed.finished_at,
    }
    await connection.execute(SAVE_UPGRADE, values)


async def _last_key(connection: AsyncConnection, process_id: int, selection: Selection) -> int:
    if isinstance(selection, ByIds):
        return len(selection.ids)
    last: int = (await connection.execute(LAST_INSTANCE, {"of_process": process_id})).scalar_one()
    return last


def _listing(process_id: int | None, page: PageRequest) -> Select[Any]:
    listing = UPGRADES.order_by(upgrade.c.id.desc()).limit(page.first + 1)
    if process_id is not None:
        listing = listing.where(upgrade.c.process_id == process_id)
    if page.after is not None:
        listing = listing.where(upgrade.c.id < page.after)
    return listing


async def _upgrades(identities: Identities, rows: Sequence[Any]) -> list[Upgrade]:
    keys = await identities.process_keys(row.process_id for row in rows)
    return [_upgrade(row, keys[row.process_id]) for row in rows]


def _upgrade(row: Any, key: ProcessKey) -> Upgrade:
    return Upgrade(
        id=UpgradeId(row.uuid),
        process=key,
        selection=row.selection,
        target_version=VersionNumber(row.target_version),
        state=row.state,
        requested_by=row.requested_by,
        reason=row.reason,
        mappings=mappings_of(row.mappings),
        requested_at=row.requested_at,
        finished_at=row.finished_at,
        cursor=row.cursor,
        upgraded=row.upgraded,
        skipped=row.skipped,
        excluded=row.excluded,
    )


def _row(new: Upgrade, process_id: int, last_key: int) -> dict[str, Any]:
    return {
        "uuid": new.id,
        "process_id": process_id,
        "selection": new.selection,
        "target_version": new.target_version,
        "state": new.state,
        "requested_by": new.requested_by,
        "reason": new.reason,
        "mappings": stored_mappings(new.mappings),
        "requested_at": new.requested_at,
        "finished_at": new.finished_at,
        "last_key": last_key,
        "cursor": new.cursor,
        "upgraded": new.upgraded,
        "skipped": new.skipped,
        "excluded": new.excluded,
    }
