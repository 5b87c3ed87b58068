"""How the decisions that an upgrade has carried out are kept."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.cohort import Cohort
from domain.decision import Decision
from domain.instance import Position
from storage.dialect import insert_new
from storage.documents import findings_of, reasons_of, stored_findings, stored_reasons
from storage.identities import Identities
from storage.opened import Opened
from storage.tables import decision

ADD_DECISIONS = insert_new(decision)
"""A cohort met again in a later chunk was decided the same way: its decision is kept already."""
ADD_COUNT = (
    update(decision)
    .where(
        decision.c.upgrade_id == bindparam("of_upgrade"),
        decision.c.version == bindparam("of_version"),
        decision.c.status == bindparam("of_status"),
        decision.c.position_id == bindparam("of_position"),
    )
    .values(instances=decision.c.instances + bindparam("more"))
)


async def add_decisions(
    connection: AsyncConnection, identities: Identities, opened: Opened, decisions: Sequence[Decision]
) -> None:
    """Keep those decisions that are new to the upgrade."""
    positions = [one.cohort.position for one in decisions]
    positions += [one.to_position for one in decisions if one.to_position is not None]
    numbers = await identities.position_ids(opened.process_id, positions)
    if decisions:
        await connection.execute(ADD_DECISIONS, [_row(opened, one, numbers) for one in decisions])


async def add_counts(connection: AsyncConnection, opened: Opened, rows: Sequence[Any]) -> None:
    """Add to the counts of decisions what each row, a cohort and its instances, says."""
    values = [
        {
            "of_upgrade": opened.id,
            "of_version": row.version,
            "of_status": row.status,
            "of_position": row.position_id,
            "more": row.instances,
        }
        for row in rows
    ]
    if values:
        await connection.execute(ADD_COUNT, values)


def decision_of(row: Any, positions: Mapping[int, Position]) -> Decision:
    """The decision of a row of the decision table."""
    return Decision(
        cohort=Cohort(version=row.version, status=row.status, position=positions[row.position_id]),
        to_position=None if row.to_position_id is None else positions[row.to_position_id],
        reasons=reasons_of(row.reasons),
        warnings=findings_of(row.warnings),
    )


def _row(opened: Opened, made: Decision, numbers: Mapping[Position, int]) -> dict[str, Any]:
    return {
        "upgrade_id": opened.id,
        "version": made.cohort.version,
        "status": made.cohort.status,
        "position_id": numbers[made.cohort.position],
        "to_position_id": None if made.to_position is None else numbers[made.to_position],
        "codes": "".join(f" {reason.code} " for reason in made.reasons),
        "reasons": stored_reasons(made.reasons),
        "warnings": stored_findings(made.warnings),
        "instances": 0,
    }
