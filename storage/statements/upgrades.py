"""Reads and writes upgrades."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Integer,
    Select,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from uplift.domain.model.decision import CountedDecision, ReasonCode
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import SelectionKind, UpgradeId, UpgradeSelection
from uplift.domain.model.upgrade import RATED_FROM, RATED_UPGRADES, UNFINISHED, Upgrade, UpgradeState
from uplift.storage.sql.codecs import decode_mappings, encode_mappings
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import IS_ACTIVE, decision, instance, outcome, selected, upgrade
from uplift.storage.sql.types import LONG
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.sqlite.prepared import RUN_INLINE
from uplift.storage.statements.decisions import decisions_of, stored_code

earlier = upgrade.alias("earlier")
other = upgrade.alias("other")
OF_UUID = select(earlier.c.uuid).where(earlier.c.id == upgrade.c.of_upgrade_id).scalar_subquery()
UPGRADE_COLUMNS = (
    *(column for column in upgrade.c if column.key != "uuid"),
    upgrade.c.uuid.label("upgrade_uuid"),
    OF_UUID.label("of_uuid"),
)
UPGRADES = select(*UPGRADE_COLUMNS)
UPGRADE = UPGRADES.where(upgrade.c.uuid == bindparam("uuid")).execution_options(**RUN_INLINE)
LOCKED_UPGRADE = UPGRADE.with_for_update(of=upgrade, key_share=True)
UPGRADES_BY_UUID = UPGRADES.where(upgrade.c.uuid.in_(bindparam("uuids", expanding=True)))
COUNT_UNFINISHED = (
    select(upgrade.c.state, func.count().label("unfinished"))
    .where(upgrade.c.state.in_(UNFINISHED))
    .group_by(upgrade.c.state)
)
FINISHED_BEFORE = (
    UPGRADES.where(
        upgrade.c.state.not_in(UNFINISHED),
        upgrade.c.finished_at < bindparam("before"),
        or_(upgrade.c.pruned_at.is_(None), upgrade.c.first_instance_id.is_not(None)),
        upgrade.c.id.not_in(
            select(other.c.of_upgrade_id).where(
                other.c.state.in_(UNFINISHED), other.c.of_upgrade_id.is_not(None)
            )
        ),
    )
    .order_by(upgrade.c.id)
    .limit(bindparam("limit"))
)
LOCKED_FINISHED = FINISHED_BEFORE.with_only_columns(upgrade.c.id).with_for_update(
    of=upgrade, key_share=True, skip_locked=True
)
FINISHED_AND_LOCKED = FINISHED_BEFORE.where(upgrade.c.id.in_(bindparam("locked", expanding=True)))
RATED = (
    select((upgrade.c.upgraded + upgrade.c.skipped).label("total"), upgrade.c.worked)
    .where(upgrade.c.upgraded + upgrade.c.skipped >= RATED_FROM)
    .order_by(upgrade.c.id.desc())
    .limit(RATED_UPGRADES)
)
NUMBER = select(upgrade.c.id).where(upgrade.c.uuid == bindparam("uuid"))
ADD_UPGRADE = insert(upgrade)
ADD_SELECTED = insert(selected).from_select(
    ["upgrade_id", "place", "ordinal", "uuid", "instance_id"],
    select(
        bindparam("upgrade_id", type_=Integer),
        func.row_number().over(order_by=instance.c.id),
        ID_LIST.c.ordinal,
        ID_LIST.c.uuid,
        instance.c.id,
    ).outerjoin_from(
        ID_LIST,
        instance,
        (instance.c.uuid == ID_LIST.c.uuid) & (instance.c.process_id == bindparam("process_id")),
    ),
)
ADD_EXCLUDED = insert(selected).from_select(
    ["upgrade_id", "place", "ordinal", "uuid", "instance_id"],
    select(
        bindparam("upgrade_id", type_=Integer),
        instance.c.id,
        ID_LIST.c.ordinal,
        ID_LIST.c.uuid,
        instance.c.id,
    )
    .join_from(ID_LIST, instance, instance.c.uuid == ID_LIST.c.uuid)
    .where(instance.c.process_id == bindparam("process_id")),
)
"""In the places of their instances, so that each chunk finds those that lie in it."""
COUNT_EXCLUDED = (
    select(func.count())
    .join_from(selected, instance, instance.c.id == selected.c.instance_id)
    .where(selected.c.upgrade_id == bindparam("upgrade_id"), IS_ACTIVE)
)
CHANGING = (
    "state",
    "started_at",
    "finished_at",
    "pruned_at",
    "worked",
    "expected",
    "upgraded",
    "skipped",
    "excluded",
    "error",
)
"""What changes of an upgrade after it was requested."""
SAVE_UPGRADE = (
    update(upgrade)
    .where(upgrade.c.id == bindparam("of_id"))
    .values(
        {
            **{name: bindparam(f"new_{name}") for name in CHANGING},
            # Two seeks in the key of the outcomes, however many there are.
            **{
                name: select(bound(outcome.c.instance_id))
                .where(outcome.c.upgrade_id == bindparam("of_id"))
                .scalar_subquery()
                for name, bound in (("first_instance_id", func.min), ("last_instance_id", func.max))
            },
        }
    )
)
SKIPS = (
    select(upgrade.c.uuid, decision)
    .join_from(upgrade, decision, decision.c.upgrade_id == upgrade.c.id)
    .where(upgrade.c.uuid.in_(bindparam("uuids", expanding=True)), decision.c.to_position_id.is_(None))
    .order_by(decision.c.upgrade_id, decision.c.version, decision.c.status, decision.c.position_id)
)


async def count_unfinished(connection: Connection) -> Mapping[UpgradeState, int]:
    """How many unfinished upgrades there are of each state; a state of which there is none is left out."""
    rows = await connection.execute(COUNT_UNFINISHED)
    return {row.state: row.unfinished for row in rows}


async def find_upgrade(
    connection: Connection, surrogate_keys: SurrogateKeys, upgrade_id: UpgradeId
) -> tuple[Upgrade, UpgradeKeys] | None:
    """Find an upgrade, with its surrogate keys."""
    return await _first(surrogate_keys, (await connection.execute(UPGRADE, {"uuid": upgrade_id})).all())


async def lock_upgrade(
    connection: Connection, surrogate_keys: SurrogateKeys, upgrade_id: UpgradeId
) -> tuple[Upgrade, UpgradeKeys] | None:
    """As `find_upgrade`, and lock the upgrade until the transaction ends."""
    return await _first(
        surrogate_keys, (await connection.execute(LOCKED_UPGRADE, {"uuid": upgrade_id})).all()
    )


async def find_upgrades(
    connection: Connection, surrogate_keys: SurrogateKeys, ids: Sequence[UpgradeId]
) -> Mapping[UpgradeId, Upgrade]:
    """Those of these upgrades that exist."""
    rows = (await connection.execute(UPGRADES_BY_UUID, {"uuids": list(ids)})).all()
    return {found.id: found for found in await upgrades_of(surrogate_keys, rows)}


async def upgrade_page(
    connection: Connection, surrogate_keys: SurrogateKeys, key: ProcessKey | None, page: PageRequest
) -> Page[Upgrade]:
    process_id = None if key is None else await surrogate_keys.process_id(key)
    if key is not None and process_id is None:
        return page_of((), page.first)
    rows = (await connection.execute(_listing(process_id, page))).all()
    found = await upgrades_of(surrogate_keys, rows)
    return page_of(((row.id, upgrade) for row, upgrade in zip(rows, found, strict=True)), page.first)


async def lock_prunable(
    connection: Connection, surrogate_keys: SurrogateKeys, before: datetime, limit: int
) -> list[tuple[Upgrade, UpgradeKeys]]:
    """Lock the oldest upgrades that finished before a time and are not fully pruned."""
    bound = {"before": before, "limit": limit}
    locked = [row.id for row in await connection.execute(LOCKED_FINISHED, bound)]
    # A retry of one may have been committed while the first statement waited. A second statement has a
    # snapshot of its own, and so sees it.
    rows = (await connection.execute(FINISHED_AND_LOCKED, {**bound, "locked": locked})).all()
    return list(zip(await upgrades_of(surrogate_keys, rows), map(keys_of, rows), strict=True))


async def measure_rate(connection: Connection) -> float | None:
    """Outcomes a second of work in the latest large upgrades."""
    rows = (await connection.execute(RATED)).all()
    seconds = sum(row.worked.total_seconds() for row in rows)
    return sum(row.total for row in rows) / seconds if seconds else None


async def find_decisions(
    connection: Connection, surrogate_keys: SurrogateKeys, ids: Sequence[UpgradeId]
) -> Mapping[UpgradeId, tuple[CountedDecision, ...]]:
    rows = (await connection.execute(SKIPS, {"uuids": list(ids)})).all()
    found: dict[UpgradeId, list[CountedDecision]] = defaultdict(list)
    for row, decided in zip(rows, await decisions_of(surrogate_keys, rows), strict=True):
        found[row.uuid].append(CountedDecision(decision=decided, count=row.instances))
    return {upgrade_id: tuple(found[upgrade_id]) for upgrade_id in ids}


async def add_upgrade(
    connection: Connection, process_id: int, new: Upgrade, selection: UpgradeSelection
) -> tuple[Upgrade, UpgradeKeys]:
    """Add an upgrade and the ids of its request; returns it with its surrogate keys."""
    of_id = None if selection.of is None else await _number(connection, selection.of)
    added = await connection.execute(ADD_UPGRADE, _row(new, process_id, of_id))
    assert added.inserted_primary_key is not None, "an INSERT of one row tells its key"
    upgrade_keys = UpgradeKeys(id=added.inserted_primary_key[0], process_id=process_id, of_upgrade_id=of_id)
    bound = {"upgrade_id": upgrade_keys.id, "process_id": process_id}
    if selection.kind is SelectionKind.BY_IDS and selection.named_ids:
        await connection.execute_later(ADD_SELECTED, {**bound, **bind_ids(selection.named_ids)})
    if selection.kind is SelectionKind.ALL_ACTIVE and selection.named_ids:
        await connection.execute_later(ADD_EXCLUDED, {**bound, **bind_ids(selection.named_ids)})
        excluded: int = (await connection.execute(COUNT_EXCLUDED, bound)).scalar_one()
        counted = replace(new, excluded=excluded, expected=max(0, new.expected - excluded))
        await save_upgrade(connection, upgrade_keys, counted)
        return counted, upgrade_keys
    return new, upgrade_keys


async def save_upgrade(connection: Connection, upgrade_keys: UpgradeKeys, changed: Upgrade) -> None:
    values = {f"new_{name}": value for name, value in _changing(changed).items()}
    await connection.execute_later(SAVE_UPGRADE, {"of_id": upgrade_keys.id, **values})


async def upgrades_of(surrogate_keys: SurrogateKeys, rows: Sequence[Any]) -> list[Upgrade]:
    """The upgrades that rows with UPGRADE_COLUMNS are."""
    keys = await surrogate_keys.process_keys(row.process_id for row in rows)
    return [_upgrade(row, keys[row.process_id]) for row in rows]


async def _first(surrogate_keys: SurrogateKeys, rows: Sequence[Any]) -> tuple[Upgrade, UpgradeKeys] | None:
    if not rows:
        return None
    row = rows[0]
    return _upgrade(row, await surrogate_keys.process_key(row.process_id)), keys_of(row)


def keys_of(row: Any) -> UpgradeKeys:
    """The surrogate keys of the upgrade in a row with UPGRADE_COLUMNS."""
    return UpgradeKeys(id=row.id, process_id=row.process_id, of_upgrade_id=row.of_upgrade_id)


async def _number(connection: Connection, upgrade_id: UpgradeId) -> int:
    number: int = (await connection.execute(NUMBER, {"uuid": upgrade_id})).scalar_one()
    return number


def _listing(process_id: int | None, page: PageRequest) -> Select[Any]:
    listing = UPGRADES.order_by(upgrade.c.id.desc()).limit(page.first + 1)
    if process_id is not None:
        listing = listing.where(upgrade.c.process_id == process_id)
    if page.after is not None:
        listing = listing.where(upgrade.c.id < literal(page.after, LONG))
    return listing


def _upgrade(row: Any, key: ProcessKey) -> Upgrade:
    return Upgrade(
        id=UpgradeId(row.upgrade_uuid),
        process=key,
        selection=row.selection,
        target_version=row.target_version,
        state=row.state,
        requested_by=row.requested_by,
        reason=row.reason,
        requested_at=row.requested_at,
        expected=row.expected,
        mappings=decode_mappings(row.mappings),
        of=row.of_uuid,
        retried=frozenset(map(ReasonCode, row.retried.split())),
        started_at=row.started_at,
        finished_at=row.finished_at,
        pruned_at=row.pruned_at,
        worked=row.worked,
        upgraded=row.upgraded,
        skipped=row.skipped,
        excluded=row.excluded,
        error=row.error,
    )


def _row(new: Upgrade, process_id: int, of_id: int | None) -> dict[str, Any]:
    return {
        "uuid": new.id,
        "process_id": process_id,
        "selection": new.selection,
        "target_version": new.target_version,
        "of_upgrade_id": of_id,
        "retried": "".join(stored_code(code) for code in sorted(new.retried)),
        "requested_by": new.requested_by,
        "reason": new.reason,
        "mappings": encode_mappings(new.mappings),
        "requested_at": new.requested_at,
        **_changing(new),
    }


def _changing(upgrade: Upgrade) -> dict[str, Any]:
    return {
        "state": upgrade.state,
        "started_at": upgrade.started_at,
        "finished_at": upgrade.finished_at,
        "pruned_at": upgrade.pruned_at,
        "worked": upgrade.worked,
        "expected": upgrade.expected,
        "upgraded": upgrade.upgraded,
        "skipped": upgrade.skipped,
        "excluded": upgrade.excluded,
        "error": upgrade.error,
    }
