"""Reads and writes the decisions of upgrades."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, and_, bindparam, insert, select, update

from uplift.domain.model.cohort import Cohort, Origin
from uplift.domain.model.decision import CountedDecision, Decision
from uplift.domain.model.instance import Position
from uplift.storage.sql.codecs import decode_findings, decode_reasons, encode_findings, encode_reasons
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import insert_many, insert_new, upsert_adding
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import decision, outcome, skip_count
from uplift.storage.sql.upgrade_keys import UpgradeKeys

KEY: Final = tuple(column.key for column in decision.primary_key)
ADD_DECISIONS = insert_new(decision)
ADD_OWN_DECISIONS = insert(decision)
COUNT_SKIPS = upsert_adding(skip_count, keys=[*KEY, "last_key"], counts=["instances"])
COUNT_OWN_SKIPS = (
    update(decision)
    .where(*(decision.c[name] == bindparam(f"of_{name}", type_=decision.c[name].type) for name in KEY))
    .values(instances=decision.c.instances + bindparam("more"))
)
NO_ORIGIN = 0
"""Stands for no origin, because a column of a primary key cannot be NULL."""
SORTED_BY = [name for name in KEY if name != "upgrade_id"]


def is_decision_of(decisions: FromClause, outcomes: FromClause) -> ColumnElement[bool]:
    """The join condition between outcomes and the decisions on their cohorts, as tables or aliases."""
    return and_(*(decisions.c[column.key] == outcomes.c[column.key] for column in decision.primary_key))


IS_DECISION_OF_OUTCOME = is_decision_of(decision, outcome)
DECISIONS = select(decision).where(decision.c.upgrade_id == bindparam("of_upgrade"))


async def keep_decisions(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    upgrade_keys: UpgradeKeys,
    decisions: Sequence[Decision],
    *,
    is_shared: bool,
) -> Sequence[Decision]:
    """Store decisions on cohorts without one, and return those that are stored for all of these cohorts.

    `is_shared` says whether other transactions can see the upgrade. Then decisions are stored in the order of
    their keys: an INSERT waits for another transaction that inserts the same key, so two orders could
    deadlock.
    """
    positions = _positions_of(decisions)
    position_ids = await surrogate_keys.position_ids(upgrade_keys.process_id, positions)
    rows = [
        {**_key(upgrade_keys, decided, position_ids), **_result(decided, position_ids)}
        for decided in decisions
    ]
    if not is_shared:
        await connection.execute_later(ADD_OWN_DECISIONS, rows)
        return decisions
    rows.sort(key=lambda row: [row[name] for name in SORTED_BY])
    added = await insert_many(connection, ADD_DECISIONS, rows)
    # With buckets, the count may be that of the rows that were sent.
    if added == len(rows) and not connection.layout.has_buckets:
        return decisions
    stored = {kept.cohort: kept for kept in await kept_decisions(connection, surrogate_keys, upgrade_keys)}
    return [stored[decided.cohort] for decided in decisions]


async def count_skips(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    upgrade_keys: UpgradeKeys,
    skips: Sequence[CountedDecision],
    last_key: int | None,
) -> None:
    """Add to the counts of stored decisions to skip.

    A partition, which ends at `last_key`, counts for itself. None adds to the decisions of an upgrade that no
    other transaction sees yet.
    """
    rows = await skip_rows(surrogate_keys, upgrade_keys, skips)
    if last_key is None:
        own = [{**{f"of_{name}": row[name] for name in KEY}, "more": row["instances"]} for row in rows]
        await connection.execute_later(COUNT_OWN_SKIPS, own)
        return
    await connection.execute_later(COUNT_SKIPS, [{**row, "last_key": last_key} for row in rows])


async def skip_rows(
    surrogate_keys: SurrogateKeys, upgrade_keys: UpgradeKeys, skips: Sequence[CountedDecision]
) -> list[dict[str, Any]]:
    """The key of each decision, with its number of instances."""
    positions = _positions_of([skip.decision for skip in skips])
    position_ids = await surrogate_keys.decided_position_ids(upgrade_keys.process_id, positions)
    return [{**_key(upgrade_keys, skip.decision, position_ids), "instances": skip.count} for skip in skips]


async def kept_decisions(
    connection: Connection, surrogate_keys: SurrogateKeys, upgrade_keys: UpgradeKeys
) -> tuple[Decision, ...]:
    """All stored decisions of an upgrade."""
    rows = (await connection.execute(DECISIONS, {"of_upgrade": upgrade_keys.id})).all()
    return await decisions_of(surrogate_keys, rows)


async def decisions_of(surrogate_keys: SurrogateKeys, rows: Sequence[Any]) -> tuple[Decision, ...]:
    """The decision of each row of the decision table."""
    positions = await surrogate_keys.positions(set().union(*map(_positions_in, rows)))
    return tuple(_decision(row, positions) for row in rows)


def _positions_in(row: Any) -> set[int]:
    position_ids = {row.position_id, row.to_position_id, row.put_position_id, row.origin_position_id}
    return position_ids - {None, NO_ORIGIN}


def _decision(row: Any, positions: Mapping[int, Position]) -> Decision:
    cohort = Cohort(
        version=row.version,
        status=row.status,
        position=positions[row.position_id],
        origin=None if row.put_version is None else _origin(row, positions),
    )
    return Decision(
        cohort=cohort,
        to_version=row.to_version,
        to_position=None if row.to_position_id is None else positions[row.to_position_id],
        reasons=decode_reasons(row.reasons),
        warnings=decode_findings(row.warnings),
    )


def stored_code(code: str) -> str:
    """A reason's code as in `decision.codes`: between spaces, so that LIKE finds only whole codes."""
    return f" {code} "


def _origin(row: Any, positions: Mapping[int, Position]) -> Origin:
    return Origin(
        version=row.origin_version,
        position=positions[row.origin_position_id],
        put_version=row.put_version,
        put_position=positions[row.put_position_id],
    )


def _positions_of(decisions: Sequence[Decision]) -> list[Position]:
    """All positions that decisions name."""
    positions = [decided.cohort.position for decided in decisions]
    positions += [decided.to_position for decided in decisions if decided.to_position is not None]
    for origin in (decided.cohort.origin for decided in decisions):
        positions += [] if origin is None else [origin.position, origin.put_position]
    return positions


def _key(
    upgrade_keys: UpgradeKeys, decided: Decision, position_ids: Mapping[Position, int]
) -> dict[str, Any]:
    cohort, origin = decided.cohort, decided.cohort.origin
    return {
        "upgrade_id": upgrade_keys.id,
        "version": cohort.version,
        "status": cohort.status,
        "position_id": position_ids[cohort.position],
        "origin_version": NO_ORIGIN if origin is None else origin.version,
        "origin_position_id": NO_ORIGIN if origin is None else position_ids[origin.position],
    }


def _result(decided: Decision, position_ids: Mapping[Position, int]) -> dict[str, Any]:
    origin = decided.cohort.origin
    return {
        "put_version": None if origin is None else origin.put_version,
        "put_position_id": None if origin is None else position_ids[origin.put_position],
        "to_version": decided.to_version,
        "to_position_id": None if decided.to_position is None else position_ids[decided.to_position],
        "codes": "".join(stored_code(reason.code) for reason in decided.reasons),
        "reasons": encode_reasons(decided.reasons),
        "warnings": encode_findings(decided.warnings),
        "instances": 0,
    }
