"""How the decisions that an upgrade has carried out are kept."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from domain.cohort import Cohort
from domain.decision import CountedDecision, Decision, ReasonCode, SkipReason
from domain.instance import Position
from storage.dialect import upsert
from storage.identities import Identities
from storage.opened import Opened
from storage.tables import decision

ADD_DECISIONS = upsert(
    decision, keys=("upgrade_id", "version", "status", "position_id"), replaced=(), added=("instances",)
)
"""A cohort met again in a later chunk was decided the same way: only its count grows."""


async def decision_rows(
    identities: Identities, opened: Opened, decisions: Sequence[CountedDecision]
) -> list[dict[str, Any]]:
    """The rows that keep these decisions."""
    positions = {one.decision.cohort.position for one in decisions}
    positions |= {one.decision.to_position for one in decisions if one.decision.to_position is not None}
    numbers = await identities.position_ids(opened.process_id, positions)
    return [_row(opened, one, numbers) for one in decisions]


def reasons_of(stored: str) -> tuple[SkipReason, ...]:
    """The reasons as they were kept."""
    return tuple(
        SkipReason(code=ReasonCode(reason["code"]), message=reason["message"])
        for reason in json.loads(stored)
    )


def decision_of(row: Any, positions: Mapping[int, Position]) -> Decision:
    """The decision of a row of the decision table."""
    return Decision(
        cohort=Cohort(version=row.version, status=row.status, position=positions[row.position_id]),
        to_position=None if row.to_position_id is None else positions[row.to_position_id],
        reasons=reasons_of(row.reasons),
    )


def _row(opened: Opened, counted: CountedDecision, numbers: Mapping[Position, int]) -> dict[str, Any]:
    made = counted.decision
    return {
        "upgrade_id": opened.id,
        "version": made.cohort.version,
        "status": made.cohort.status,
        "position_id": numbers[made.cohort.position],
        "to_position_id": None if made.to_position is None else numbers[made.to_position],
        "codes": "".join(f" {reason.code} " for reason in made.reasons),
        "reasons": json.dumps([{"code": reason.code, "message": reason.message} for reason in made.reasons]),
        "instances": counted.count,
    }
