"""Reads and writes the decisions of upgrades."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, and_, bindparam, select

from uplift.domain.model.cohort import Cohort, Origin
from uplift.domain.model.decision import CountedDecision, Decision, Verdict
from uplift.domain.model.instance import Position
from uplift.storage.sql.codecs import decode_findings, decode_reasons, encode_findings, encode_reasons
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import upsert_adding
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import decision, outcome
from uplift.storage.sql.upgrade_keys import UpgradeKeys

KEEP_DECISIONS = upsert_adding(
    decision, keys=[column.key for column in decision.primary_key], counts=["instances"]
)
"""A later chunk that finds a cohort again decides the same: only the stored count grows."""
NO_ORIGIN = 0
"""Stands for no origin, because a column of a primary key cannot be NULL."""


def is_decision_of(decisions: FromClause, outcomes: FromClause) -> ColumnElement[bool]:
    """The join condition between outcomes and the decisions on their cohorts, as tables or aliases."""
    return and_(*(decisions.c[column.key] == outcomes.c[column.key] for column in decision.primary_key))


IS_DECISION_OF_OUTCOME = is_decision_of(decision, outcome)
DECISIONS = select(decision).where(decision.c.upgrade_id == bindparam("of_upgrade"))


async def keep_decisions(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    upgrade_keys: UpgradeKeys,
    counted: Sequence[CountedDecision],
) -> None:
    """Store decisions. The count of a decision to skip is added to the stored count."""
    decisions = [counted_decision.decision for counted_decision in counted]
    positions = [decided.cohort.position for decided in decisions]
    positions += [decided.to_position for decided in decisions if decided.to_position is not None]
    for origin in (decided.cohort.origin for decided in decisions):
        positions += [] if origin is None else [origin.position, origin.put_position]
    position_ids = await surrogate_keys.position_ids(upgrade_keys.process_id, positions)
    if counted:
        rows = [_row(upgrade_keys, counted_decision, position_ids) for counted_decision in counted]
        await connection.execute_later(KEEP_DECISIONS, rows)


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


def _row(
    upgrade_keys: UpgradeKeys, counted: CountedDecision, position_ids: Mapping[Position, int]
) -> dict[str, Any]:
    decided, origin = counted.decision, counted.decision.cohort.origin
    return {
        "upgrade_id": upgrade_keys.id,
        "version": decided.cohort.version,
        "status": decided.cohort.status,
        "position_id": position_ids[decided.cohort.position],
        "origin_version": NO_ORIGIN if origin is None else origin.version,
        "origin_position_id": NO_ORIGIN if origin is None else position_ids[origin.position],
        "put_version": None if origin is None else origin.put_version,
        "put_position_id": None if origin is None else position_ids[origin.put_position],
        "to_version": decided.to_version,
        "to_position_id": None if decided.to_position is None else position_ids[decided.to_position],
        "codes": "".join(stored_code(reason.code) for reason in decided.reasons),
        "reasons": encode_reasons(decided.reasons),
        "warnings": encode_findings(decided.warnings),
        "instances": counted.count if decided.verdict is Verdict.SKIP else 0,
    }
