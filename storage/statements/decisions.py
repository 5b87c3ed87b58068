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
"""A cohort met again in a later chunk was decided the same way: of what is kept only the count changes."""
NO_ORIGIN = 0


def its_decision(decided: FromClause, recorded: FromClause) -> ColumnElement[bool]:
    """What joins an outcome and the decision on its cohort, in tables or aliases of them."""
    return and_(*(decided.c[column.key] == recorded.c[column.key] for column in decision.primary_key))


ITS_DECISION = its_decision(decision, outcome)
KEPT = select(decision).where(decision.c.upgrade_id == bindparam("of_upgrade"))


async def keep_decisions(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    upgrade_keys: UpgradeKeys,
    counted: Sequence[CountedDecision],
) -> None:
    """Keep decisions; the counts of those that skip are added to what is kept."""
    decisions = [entry.decision for entry in counted]
    positions = [made.cohort.position for made in decisions]
    positions += [made.to_position for made in decisions if made.to_position is not None]
    for origin in (made.cohort.origin for made in decisions):
        positions += [] if origin is None else [origin.position, origin.put_position]
    numbers = await surrogate_keys.position_ids(upgrade_keys.process_id, positions)
    if counted:
        await connection.execute_later(
            KEEP_DECISIONS, [_row(upgrade_keys, entry, numbers) for entry in counted]
        )


async def kept_decisions(
    connection: Connection, surrogate_keys: SurrogateKeys, upgrade_keys: UpgradeKeys
) -> tuple[Decision, ...]:
    """All decisions that are kept of an upgrade."""
    rows = (await connection.execute(KEPT, {"of_upgrade": upgrade_keys.id})).all()
    return await decisions_of(surrogate_keys, rows)


async def decisions_of(surrogate_keys: SurrogateKeys, rows: Sequence[Any]) -> tuple[Decision, ...]:
    """The decision of each row of the decision table."""
    positions = await surrogate_keys.positions(set().union(*map(_positions_in, rows)))
    return tuple(_decision(row, positions) for row in rows)


def _positions_in(row: Any) -> set[int]:
    named = {row.position_id, row.to_position_id, row.put_position_id, row.origin_position_id}
    return named - {None, NO_ORIGIN}


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
    """A reason's code as `decision.codes` holds it, between spaces, so that no other code contains it."""
    return f" {code} "


def _origin(row: Any, positions: Mapping[int, Position]) -> Origin:
    return Origin(
        version=row.origin_version,
        position=positions[row.origin_position_id],
        put_version=row.put_version,
        put_position=positions[row.put_position_id],
    )


def _row(
    upgrade_keys: UpgradeKeys, counted: CountedDecision, numbers: Mapping[Position, int]
) -> dict[str, Any]:
    made, origin = counted.decision, counted.decision.cohort.origin
    return {
        "upgrade_id": upgrade_keys.id,
        "version": made.cohort.version,
        "status": made.cohort.status,
        "position_id": numbers[made.cohort.position],
        "origin_version": NO_ORIGIN if origin is None else origin.version,
        "origin_position_id": NO_ORIGIN if origin is None else numbers[origin.position],
        "put_version": None if origin is None else origin.put_version,
        "put_position_id": None if origin is None else numbers[origin.put_position],
        "to_version": made.to_version,
        "to_position_id": None if made.to_position is None else numbers[made.to_position],
        "codes": "".join(stored_code(reason.code) for reason in made.reasons),
        "reasons": encode_reasons(made.reasons),
        "warnings": encode_findings(made.warnings),
        "instances": counted.count if made.verdict is Verdict.SKIP else 0,
    }
