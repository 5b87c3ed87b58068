"""Reads and writes upgrades."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Update, bindparam, case, func, insert, literal, select, update

from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.link import LinkId
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import UpgradeId, UpgradeSelection
from uplift.domain.model.upgrade import UNFINISHED, Tally, Upgrade, UpgradeState
from uplift.storage.sql.codecs import (
    decode_conditions,
    decode_mappings,
    decode_refusals,
    encode_conditions,
    encode_mappings,
    encode_refusals,
)
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import outcome, upgrade
from uplift.storage.sql.types import LONG
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.sqlite.prepared import RUN_INLINE
from uplift.storage.statements.outcomes.bucket_totals import in_layout, with_totals
from uplift.storage.statements.outcomes.decisions import stored_code
from uplift.storage.statements.outcomes.tallies import AFTER_ALL, COUNTS, TOTALS

earlier = upgrade.alias("earlier")
IS_EARLIER = earlier.c.id == upgrade.c.of_upgrade_id
OF_UUID = select(earlier.c.uuid).where(IS_EARLIER).scalar_subquery()
OF_LINK = select(earlier.c.link).where(IS_EARLIER).scalar_subquery()
UPGRADE_COLUMNS = (
    *(column for column in upgrade.c if column.key not in ("uuid", *COUNTS)),
    *TOTALS,
    upgrade.c.uuid.label("upgrade_uuid"),
    OF_UUID.label("of_uuid"),
    OF_LINK.label("of_link"),
)
UPGRADES = select(*UPGRADE_COLUMNS)
UPGRADE = UPGRADES.where(upgrade.c.uuid == bindparam("uuid")).execution_options(**RUN_INLINE)
LOCK_UPGRADE = select(upgrade.c.id).where(upgrade.c.uuid == bindparam("uuid")).with_for_update(key_share=True)
COUNT_UNFINISHED = (
    select(upgrade.c.state, func.count().label("unfinished"))
    .where(upgrade.c.state.in_(UNFINISHED))
    .group_by(upgrade.c.state)
)
UPGRADE_KEY = select(upgrade.c.id).where(upgrade.c.uuid == bindparam("uuid"))
EARLIER_KEYS = select(upgrade.c.id, upgrade.c.link).where(upgrade.c.uuid == bindparam("uuid"))
ADD_UPGRADE = insert(upgrade)
CHANGING_COLUMNS = (
    "state",
    "started_at",
    "finished_at",
    "pruned_at",
    "expected",
    "excluded",
    "error",
    "sent",
    "refusals",
)
"""The columns that change after an upgrade is requested, besides COUNTS."""
IS_UNDER_WAY = bindparam("is_under_way", type_=Boolean)
BEFORE_ALL = literal(0, LONG)


def _bound(function: Any) -> Any:
    # MIN and MAX are seeks in the primary key of the outcomes, however many there are.
    found = select(function(outcome.c.instance_id)).where(outcome.c.upgrade_id == bindparam("of_id"))
    return found.scalar_subquery()


def _save(first: ColumnElement[int], last: ColumnElement[int]) -> Update:
    changing: dict[str, Any] = {name: bindparam(f"new_{name}") for name in CHANGING_COLUMNS}
    counts = {
        name: upgrade.c[name] + bindparam(f"more_{name}", type_=upgrade.c[name].type) for name in COUNTS
    }
    # Chunks do not widen the bounds of the instances with an outcome, so those of an upgrade under way
    # include all instances.
    bounds = {
        "first_instance_id": case((IS_UNDER_WAY, BEFORE_ALL), else_=first),
        "last_instance_id": case((IS_UNDER_WAY, literal(AFTER_ALL, LONG)), else_=last),
    }
    return update(upgrade).where(upgrade.c.id == bindparam("of_id")).values({**changing, **counts, **bounds})


SAVE_UPGRADE = _save(_bound(func.min), _bound(func.max))
SAVE_WITH_BOUNDS = _save(bindparam("first_bound", type_=LONG), bindparam("last_bound", type_=LONG))
BOUNDS = select(
    func.min(outcome.c.instance_id).label("first_bound"), func.max(outcome.c.instance_id).label("last_bound")
).where(outcome.c.upgrade_id == bindparam("of_id"))
"""Read by a statement of its own where outcomes do not lie beside upgrades."""


async def count_unfinished(connection: Connection) -> Mapping[UpgradeState, int]:
    """The number of upgrades in each unfinished state. States without an upgrade are absent."""
    rows = await connection.execute(COUNT_UNFINISHED)
    return {row.state: row.unfinished for row in rows}


async def find_upgrade(
    connection: Connection, surrogate_keys: SurrogateKeys, upgrade_id: UpgradeId
) -> tuple[Upgrade, UpgradeKeys] | None:
    """The upgrade and its surrogate keys."""
    found = await connection.execute(in_layout(connection, UPGRADE), {"uuid": upgrade_id})
    return await _first(surrogate_keys, found.all())


async def lock_upgrade(
    connection: Connection, surrogate_keys: SurrogateKeys, upgrade_id: UpgradeId
) -> tuple[Upgrade, UpgradeKeys] | None:
    """As `find_upgrade`, but lock the row of the upgrade until the transaction ends."""
    if connection.dialect.name == "postgresql":
        # Read by a second statement: after waiting for the lock, the first one would add the new counts of
        # the upgrade to those that its partitions had before.
        await connection.execute(LOCK_UPGRADE, {"uuid": upgrade_id})
    return await find_upgrade(connection, surrogate_keys, upgrade_id)


async def add_row(
    connection: Connection, process_id: int, new: Upgrade, selection: UpgradeSelection
) -> UpgradeKeys:
    """Add an upgrade without the ids of its request."""
    of_id, of_is_linked = None, False
    if selection.of is not None:
        of_row = (await connection.execute(EARLIER_KEYS, {"uuid": selection.of})).one_or_none()
        assert of_row is not None, "upgrades are never deleted"
        of_id, of_is_linked = of_row.id, of_row.link is not None
    added = await connection.execute(ADD_UPGRADE, _row(new, process_id, of_id))
    assert added.inserted_primary_key is not None, "an INSERT of one row returns its key"
    return UpgradeKeys(
        id=added.inserted_primary_key[0],
        process_id=process_id,
        of_upgrade_id=of_id,
        of_is_linked=of_is_linked,
    )


async def save_upgrade(
    connection: Connection, upgrade_keys: UpgradeKeys, changed: Upgrade, *, more: Tally
) -> None:
    """Store what changed; `more` is what it did since it was read. Partitions keep the rest of its counts."""
    values = {f"new_{name}": value for name, value in _changing(changed).items()}
    counts = {f"more_{name}": getattr(more, name) for name in COUNTS}
    is_under_way = changed.started_at is not None and not changed.is_finished
    bound = {"of_id": upgrade_keys.id, "is_under_way": is_under_way, **values, **counts}
    if connection.layout.has_buckets:
        found = (await connection.execute(BOUNDS, bound)).one() if changed.is_finished else (None, None)
        bounds = dict(zip(("first_bound", "last_bound"), found, strict=True))
        await connection.execute(SAVE_WITH_BOUNDS, {**bound, **bounds})
    else:
        await connection.execute_later(SAVE_UPGRADE, bound)


async def upgrades_of(surrogate_keys: SurrogateKeys, rows: Sequence[Any]) -> list[Upgrade]:
    """The upgrade in each row with UPGRADE_COLUMNS."""
    if surrogate_keys.connection.layout.has_buckets:
        rows = await with_totals(surrogate_keys.connection, rows)
    process_keys = await surrogate_keys.process_keys(row.process_id for row in rows)
    return [upgrade_in(row, process_keys[row.process_id]) for row in rows]


async def _first(surrogate_keys: SurrogateKeys, rows: Sequence[Any]) -> tuple[Upgrade, UpgradeKeys] | None:
    if not rows:
        return None
    (found,) = await upgrades_of(surrogate_keys, rows)
    return found, keys_of(rows[0])


def keys_of(row: Any) -> UpgradeKeys:
    """The surrogate keys of the upgrade in a row with UPGRADE_COLUMNS."""
    return UpgradeKeys(
        id=row.id,
        process_id=row.process_id,
        of_upgrade_id=row.of_upgrade_id,
        of_is_linked=row.of_link is not None,
    )


def upgrade_in(row: Any, process_key: ProcessKey) -> Upgrade:
    """The upgrade in a row with UPGRADE_COLUMNS."""
    return Upgrade(
        id=UpgradeId(row.upgrade_uuid),
        process=process_key,
        selection=row.selection,
        target_version=row.target_version,
        state=row.state,
        requested_by=row.requested_by,
        reason=row.reason,
        requested_at=row.requested_at,
        expected=row.expected,
        mappings=decode_mappings(row.mappings),
        conditions=decode_conditions(row.conditions),
        of=row.of_uuid,
        retried=frozenset(map(ReasonCode, row.retried.split())),
        started_at=row.started_at,
        finished_at=row.finished_at,
        pruned_at=row.pruned_at,
        worked=row.worked,
        upgraded=row.upgraded,
        skipped=row.skipped,
        excluded=row.excluded,
        named_ids=row.named_ids,
        error=row.error,
        link=None if row.link is None else LinkId(row.link),
        ordered=row.ordered,
        sent=row.sent,
        refusals=decode_refusals(row.refusals),
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
        "conditions": encode_conditions(new.conditions),
        "requested_at": new.requested_at,
        "named_ids": new.named_ids,
        "link": new.link,
        **{name: getattr(new.tally, name) for name in COUNTS},
        **_changing(new),
    }


def _changing(upgrade: Upgrade) -> dict[str, Any]:
    return {
        "state": upgrade.state,
        "started_at": upgrade.started_at,
        "finished_at": upgrade.finished_at,
        "pruned_at": upgrade.pruned_at,
        "expected": upgrade.expected,
        "excluded": upgrade.excluded,
        "error": upgrade.error,
        "sent": upgrade.sent,
        "refusals": encode_refusals(upgrade.refusals),
    }
