"""Reads cohorts from rows with a version, a status and a position."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, func, select

from uplift.domain.model.cohort import Cohort, Origin
from uplift.domain.model.instance import Position, Status
from uplift.domain.model.process import VersionNumber
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import cohort_part, decision
from uplift.storage.sql.upgrade_keys import UpgradeKeys

MOVES = select(
    decision.c.version, decision.c.position_id, decision.c.to_version, decision.c.to_position_id
).where(
    decision.c.upgrade_id == bindparam("of_upgrade"),
    decision.c.status == Status.PENDING,
    decision.c.to_position_id.is_not(None),
)
"""The version and position to which an upgrade moved each of its cohorts."""

COUNT = func.sum(cohort_part.c.instances)
COHORTS = (
    select(
        cohort_part.c.process_id,
        cohort_part.c.version,
        cohort_part.c.status,
        cohort_part.c.position_id,
        COUNT.label("instances"),
    )
    .where(cohort_part.c.process_id.in_(bindparam("ids", expanding=True)))
    .group_by(
        cohort_part.c.process_id, cohort_part.c.version, cohort_part.c.status, cohort_part.c.position_id
    )
    .having(COUNT != 0)
    .order_by(
        cohort_part.c.process_id,
        cohort_part.c.version,
        cohort_part.c.status,
        COUNT.desc(),
        cohort_part.c.position_id,
    )
)
"""The kept counts of the cohorts of processes."""


async def cohorts_of(surrogate_keys: SurrogateKeys, rows: Sequence[Any]) -> list[Cohort]:
    """The cohort in each row."""
    positions = await surrogate_keys.positions(row.position_id for row in rows)
    return [_cohort(row, positions) for row in rows]


async def undo_cohorts_of(
    connection: Connection, surrogate_keys: SurrogateKeys, upgrade_keys: UpgradeKeys, rows: Sequence[Any]
) -> list[Cohort]:
    """The cohort in each row of an undo, with its origin."""
    moves = {
        (version, position_id): (to_version, to_position_id)
        for version, position_id, to_version, to_position_id in await connection.execute(
            MOVES, {"of_upgrade": upgrade_keys.of_upgrade_id}
        )
    }
    position_ids = {row.position_id for row in rows} | {row.origin_position_id for row in rows}
    positions = await surrogate_keys.positions(
        position_ids | {to_position_id for _, to_position_id in moves.values()}
    )
    return [
        _cohort(row, positions, _origin(row, moves[row.origin_version, row.origin_position_id], positions))
        for row in rows
    ]


def _cohort(row: Any, positions: Mapping[int, Position], origin: Origin | None = None) -> Cohort:
    return Cohort(version=row.version, status=row.status, position=positions[row.position_id], origin=origin)


def _origin(row: Any, move: tuple[int, int], positions: Mapping[int, Position]) -> Origin:
    put_version, put_position_id = move
    return Origin(
        version=row.origin_version,
        position=positions[row.origin_position_id],
        put_version=VersionNumber(put_version),
        put_position=positions[put_position_id],
    )
