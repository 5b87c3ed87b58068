"""Records and moves chunks in SQLite, where one transaction writes at a time."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Insert,
    Integer,
    Select,
    Text,
    Update,
    and_,
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
from uplift.domain.ports import RecordedChunk
from uplift.storage.chunks.chunks import Processed, RecordThenMove, SqlChunks, UndoChunks
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
from uplift.storage.sql.tables import IS_ACTIVE, STATUS, decision, instance, outcome
from uplift.storage.statements.instances.conditions import MEETS_CONDITIONS
from uplift.storage.statements.outcomes.decisions import NO_ORIGIN


def sqlite_chunks(kind: SelectionKind) -> type[SqlChunks]:
    """The chunks of an upgrade of this kind."""
    return UndoChunks if kind is SelectionKind.UNDO else SqliteChunks


class RecordedCohort(NamedTuple):
    """A cohort of a recorded chunk, its number of instances, and where its decision moves it, if it does."""

    version: int
    status: Status
    position_id: int
    instances: int
    to_version: int | None
    to_position_id: int | None


def _recorded_cohorts_as_value(kind: SelectionKind) -> Select[Any]:
    """Count the recorded instances of the chunk by cohort, as one value (see `_cohorts_in_value`).

    SQLite sorts the rows of a group, and by one integer nearly twice as fast as by three columns.
    """
    status = type_coerce(outcome.c.status, Integer)
    packed = (
        outcome.c.position_id * literal_column("17179869184", Integer)  # 2 ** 34
        + outcome.c.version * literal_column("8", Integer)
        + status
    )
    counted = (
        select(*cohort_columns(kind), func.count().label("instances"))
        .where(recorded_in_chunk(kind))
        .group_by(packed)
        .subquery("counted")
    )
    cohort = (counted.c.version, counted.c.status, counted.c.position_id)
    is_decision_of_cohort = and_(
        decision.c.upgrade_id == UPGRADE_ID,
        *(decision.c[column.key] == column for column in cohort),
        decision.c.origin_version == NO_ORIGIN,
        decision.c.origin_position_id == NO_ORIGIN,
    )
    row = func.json_array(*cohort, counted.c.instances, decision.c.to_version, decision.c.to_position_id)
    return select(func.json_group_array(row, type_=Text)).select_from(
        counted.outerjoin(decision, is_decision_of_cohort)
    )


def _cohorts_in_value(counted: str) -> list[RecordedCohort]:
    """The cohorts in a value of RECORDED_COHORTS_AS_VALUE.

    They are one value, because a thread takes the interpreter for each row that it reads, and lets others
    have it while SQLite looks for the next. One of low priority may have to wait for a processor in between,
    and all others for the interpreter.
    """
    return [
        RecordedCohort(version, STATUS.members[code - 1], position_id, *rest)
        for version, code, position_id, *rest in json.loads(counted)
    ]


RECORDED_COHORTS_AS_VALUE = {kind: _recorded_cohorts_as_value(kind) for kind in FORWARD}


class Statements(NamedTuple):
    """The statements that find the instances of a chunk in one way."""

    record: Insert
    move_in_place: Update
    move_elsewhere: Update


class SqliteChunks(RecordThenMove):
    """The chunks of an upgrade or a retry. No statement of SQLite both moves and records."""

    _statements: Statements

    async def record_and_move(
        self, size: int, decisions: Collection[Decision], end: int | None = None
    ) -> RecordedChunk:
        if end is None:
            end = await self.end_of(size)
        is_dense = self._kind in ALONG_ACTIVE and end - self._partition.cursor <= DENSE * size
        self._statements = BY_RANGE[self._kind] if is_dense else BY_INDEX[self._kind]
        return await super().record_and_move(size, decisions, end)

    async def _record(self, end: int, decisions: Collection[Decision]) -> Processed:
        if not decisions:
            return await super()._record(end, decisions)
        # All statements together: each wait for the connection ends in a step on the event loop that delays
        # the requests behind it.
        connection, bound = self._connection, self._bound(end)
        recorded = await connection.execute_later(self._record_statement(), bound)
        counted = await connection.execute_later(RECORDED_COHORTS_AS_VALUE[self._kind], bound)
        *before, last_move = self._moves(decisions)
        moves = [await connection.execute_later(move, bound) for move in before]
        moves.append(await connection.execute(last_move, bound))
        cohorts = _cohorts_in_value(counted.scalar_one())
        targets = {
            (cohort.version, cohort.position_id): (cohort.to_version, cohort.to_position_id)
            for cohort in cohorts
            if cohort.to_version is not None and cohort.to_position_id is not None
        }
        moved = sum(move.rowcount for move in moves)
        unmoved = await self._count_moved_as_stored(end, cohorts, targets, decisions, moved)
        return Processed(recorded.rowcount, moved, unmoved)

    async def _recorded_cohorts(self, bound: Mapping[str, Any]) -> Sequence[Any]:
        return _cohorts_in_value(
            (await self._connection.execute(RECORDED_COHORTS_AS_VALUE[self._kind], bound)).scalar_one()
        )

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
has no statistics to choose by. The last chunk of a partition may be shorter than its size; it then reads
at most as many rows as a full one.
"""
BY_INDEX = {kind: _statements(IN_CHUNK[kind]) for kind in FORWARD}
BY_RANGE = {kind: _statements(_in_range(kind)) for kind in ALONG_ACTIVE}
