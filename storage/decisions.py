"""How the decisions that an upgrade has carried out are kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, bindparam, update

from domain.cohort import Cohort, Origin
from domain.decision import Decision, ReasonCode
from domain.instance import Position
from storage.connection import Connection
from storage.dialect import insert_new
from storage.documents import findings_of, reasons_of, stored_findings, stored_reasons
from storage.identities import Identities
from storage.opened import Opened
from storage.tables import decision, outcome

ADD_DECISIONS = insert_new(decision)
"""A cohort met again in a later chunk was decided the same way: its decision is kept already."""
NO_ORIGIN = 0
ITS_DECISION = and_(
    decision.c.upgrade_id == outcome.c.upgrade_id,
    decision.c.version == outcome.c.version,
    decision.c.status == outcome.c.status,
    decision.c.position_id == outcome.c.position_id,
    decision.c.origin_version == outcome.c.origin_version,
    decision.c.origin_position_id == outcome.c.origin_position_id,
)
"""An outcome and the decision on its cohort."""
ADD_COUNT = (
    update(decision)
    .where(
        decision.c.upgrade_id == bindparam("of_upgrade"),
        decision.c.version == bindparam("of_version"),
        decision.c.status == bindparam("of_status"),
        decision.c.position_id == bindparam("of_position"),
        decision.c.origin_version == bindparam("of_origin_version"),
        decision.c.origin_position_id == bindparam("of_origin_position"),
    )
    .values(instances=decision.c.instances + bindparam("more"))
)


async def add_decisions(
    connection: Connection, identities: Identities, opened: Opened, decisions: Sequence[Decision]
) -> None:
    """Keep those decisions that are new to the upgrade."""
    positions = [one.cohort.position for one in decisions]
    positions += [one.to_position for one in decisions if one.to_position is not None]
    for origin in (one.cohort.origin for one in decisions):
        positions += [] if origin is None else [origin.position, origin.put_position]
    numbers = await identities.position_ids(opened.process_id, positions)
    if decisions:
        await connection.send(ADD_DECISIONS, [_row(opened, one, numbers) for one in decisions])


async def add_counts(connection: Connection, opened: Opened, rows: Sequence[Any]) -> None:
    """Add to the counts of decisions what each row, a cohort and its instances, says."""
    values = [
        {
            "of_upgrade": opened.id,
            "of_version": row.version,
            "of_status": row.status,
            "of_position": row.position_id,
            "of_origin_version": getattr(row, "origin_version", NO_ORIGIN),
            "of_origin_position": getattr(row, "origin_position_id", NO_ORIGIN),
            "more": row.instances,
        }
        for row in rows
    ]
    if values:
        await connection.execute(ADD_COUNT, values)


def positions_in(row: Any) -> set[int]:
    """The numbers of the positions that a row of the decision table names."""
    named = {row.position_id, row.to_position_id, row.put_position_id, row.origin_position_id}
    return named - {None, NO_ORIGIN}


def decision_of(row: Any, positions: Mapping[int, Position]) -> Decision:
    """The decision of a row of the decision table."""
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
        reasons=reasons_of(row.reasons),
        warnings=findings_of(row.warnings),
    )


def stored_code(code: ReasonCode) -> str:
    """A reason's code as `decision.codes` holds it, told apart from codes that contain it."""
    return f" {code} "


def _origin(row: Any, positions: Mapping[int, Position]) -> Origin:
    return Origin(
        version=row.origin_version,
        position=positions[row.origin_position_id],
        put_version=row.put_version,
        put_position=positions[row.put_position_id],
    )


def _row(opened: Opened, made: Decision, numbers: Mapping[Position, int]) -> dict[str, Any]:
    origin = made.cohort.origin
    return {
        "upgrade_id": opened.id,
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
        "reasons": stored_reasons(made.reasons),
        "warnings": stored_findings(made.warnings),
        "instances": 0,
    }
