"""Records and moves chunks in SQLite, where one transaction writes at a time."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from sqlalchemy import Integer, Select, Update, func, literal_column, select, tuple_, type_coerce, update

from uplift.domain.model.decision import Decision
from uplift.domain.model.instance import Status
from uplift.domain.model.selection import SelectionKind
from uplift.storage.chunks.chunks import RecordThenMove, SqlChunks, UndoChunks
from uplift.storage.chunks.statements import (
    FORWARD,
    IN_CHUNK,
    TARGET,
    UPGRADE_ID,
    cohort_columns,
    recorded_in_chunk,
)
from uplift.storage.sql.tables import decision, instance, outcome


def sqlite_chunks(kind: SelectionKind) -> type[SqlChunks]:
    """The chunks of an upgrade of this kind."""
    return UndoChunks if kind is SelectionKind.UNDO else SqliteChunks


def _recorded_cohorts(kind: SelectionKind) -> Select[Any]:
    """Count the recorded instances of the chunk by cohort.

    SQLite sorts the rows of a group, and by one integer nearly twice as fast as by three columns.
    """
    status = type_coerce(outcome.c.status, Integer)
    packed = (
        outcome.c.position_id * literal_column("17179869184", Integer)  # 2 ** 34
        + outcome.c.version * literal_column("8", Integer)
        + status
    )
    return (
        select(*cohort_columns(kind), func.count().label("instances"))
        .where(recorded_in_chunk(kind))
        .group_by(packed)
    )


PACKED_COHORTS = {kind: _recorded_cohorts(kind) for kind in FORWARD}


class SqliteChunks(RecordThenMove):
    """The chunks of an upgrade or a retry. No statement of SQLite both moves and records."""

    recorded_cohorts: ClassVar[Mapping[SelectionKind, Select[Any]]] = PACKED_COHORTS

    def _moves(self, decisions: Collection[Decision]) -> Iterator[Update]:
        if any(decision.to_position == decision.cohort.position for decision in decisions):
            yield MOVE_IN_PLACE[self._kind]
        if any(decision.to_position != decision.cohort.position for decision in decisions):
            yield MOVE_ELSEWHERE[self._kind]


def _move_in_place(kind: SelectionKind) -> Update:
    """Move instances that keep their position, which are most instances of nearly every upgrade."""
    staying = select(decision.c.version, decision.c.position_id).where(
        decision.c.upgrade_id == UPGRADE_ID,
        decision.c.status == Status.PENDING,
        decision.c.to_position_id == decision.c.position_id,
    )
    return (
        update(instance)
        .where(
            IN_CHUNK[kind],
            instance.c.status == Status.PENDING,
            tuple_(instance.c.version, instance.c.position_id).in_(staying),
        )
        .values(version=TARGET)
    )


def _move_elsewhere(kind: SelectionKind) -> Update:
    """Move instances whose position changes."""
    return (
        update(instance)
        .where(
            IN_CHUNK[kind],
            instance.c.status == Status.PENDING,
            decision.c.upgrade_id == UPGRADE_ID,
            decision.c.status == Status.PENDING,
            decision.c.version == instance.c.version,
            decision.c.position_id == instance.c.position_id,
            decision.c.to_position_id != decision.c.position_id,
        )
        .values(version=TARGET, position_id=decision.c.to_position_id)
    )


MOVE_IN_PLACE = {kind: _move_in_place(kind) for kind in FORWARD}
MOVE_ELSEWHERE = {kind: _move_elsewhere(kind) for kind in FORWARD}
