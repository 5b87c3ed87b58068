"""Records and moves chunks in SQLite, where one transaction writes at a time."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Insert,
    Integer,
    Select,
    Update,
    func,
    literal_column,
    select,
    tuple_,
    type_coerce,
    update,
)

from uplift.domain.model.decision import Decision
from uplift.domain.model.instance import Status
from uplift.domain.model.selection import SelectionKind
from uplift.storage.chunks.chunks import RecordThenMove, SqlChunks, UndoChunks
from uplift.storage.chunks.statements import (
    ALONG_ACTIVE,
    FORWARD,
    IN_CHUNK,
    IS_IN_RANGE,
    IS_NOT_EXCLUDED,
    OF_PROCESS,
    TARGET,
    UPGRADE_ID,
    cohort_columns,
    record,
    recorded_in_chunk,
)
from uplift.storage.sql.tables import IS_ACTIVE, decision, instance, outcome
from uplift.storage.statements.instances.conditions import MEETS_CONDITIONS


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


class Statements(NamedTuple):
    """The statements that find the instances of a chunk in one way."""

    record: Insert
    move_in_place: Update
    move_elsewhere: Update


class SqliteChunks(RecordThenMove):
    """The chunks of an upgrade or a retry. No statement of SQLite both moves and records."""

    recorded_cohorts: ClassVar[Mapping[SelectionKind, Select[Any]]] = PACKED_COHORTS
    _statements: Statements

    async def end_of(self, size: int) -> int:
        end = await super().end_of(size)
        if self._kind in ALONG_ACTIVE and end - self._partition.cursor <= DENSE * size:
            self._statements = BY_RANGE[self._kind]
        else:
            self._statements = BY_INDEX[self._kind]
        return end

    def _record_statement(self) -> Insert:
        return self._statements.record

    def _moves(self, decisions: Collection[Decision]) -> Iterator[Update]:
        if any(decision.to_position == decision.cohort.position for decision in decisions):
            yield self._statements.move_in_place
        if any(decision.to_position != decision.cohort.position for decision in decisions):
            yield self._statements.move_elsewhere


def _move_in_place(in_chunk: ColumnElement[bool]) -> Update:
    """Move instances that keep their position, which are most instances of nearly every upgrade."""
    staying = select(decision.c.version, decision.c.position_id).where(
        decision.c.upgrade_id == UPGRADE_ID,
        decision.c.status == Status.PENDING,
        decision.c.to_position_id == decision.c.position_id,
    )
    return (
        update(instance)
        .where(
            in_chunk,
            instance.c.status == Status.PENDING,
            tuple_(instance.c.version, instance.c.position_id).in_(staying),
        )
        .values(version=TARGET)
    )


def _move_elsewhere(in_chunk: ColumnElement[bool]) -> Update:
    """Move instances whose position changes."""
    return (
        update(instance)
        .where(
            in_chunk,
            instance.c.status == Status.PENDING,
            decision.c.upgrade_id == UPGRADE_ID,
            decision.c.status == Status.PENDING,
            decision.c.version == instance.c.version,
            decision.c.position_id == instance.c.position_id,
            decision.c.to_position_id != decision.c.position_id,
        )
        .values(version=TARGET, position_id=decision.c.to_position_id)
    )


def _statements(in_chunk: ColumnElement[bool]) -> Statements:
    return Statements(record(in_chunk), _move_in_place(in_chunk), _move_elsewhere(in_chunk))


def _in_range(kind: SelectionKind) -> ColumnElement[bool]:
    """As IN_CHUNK, but found by reading the whole range of ids."""
    # `+ 0` keeps SQLite from the indexes of processes.
    in_range = (instance.c.process_id + 0 == OF_PROCESS) & IS_ACTIVE & IS_IN_RANGE & IS_NOT_EXCLUDED
    return in_range & MEETS_CONDITIONS if kind is SelectionKind.MATCHING else in_range


DENSE = 3
"""A chunk that covers at most so many ids for each instance reads all instances of its range.

Where 40 % are active, that is a fifth faster than a search in the table for each entry of the index. SQLite
has no statistics to choose by.
"""
BY_INDEX = {kind: _statements(IN_CHUNK[kind]) for kind in FORWARD}
BY_RANGE = {kind: _statements(_in_range(kind)) for kind in ALONG_ACTIVE}
