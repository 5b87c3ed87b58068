"""Defines the common part of chunks in both databases, and chunks that record before they move."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import Insert, Select, Update

from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.decision import CountedDecision, Decision, ReasonCode
from uplift.domain.model.instance import Status
from uplift.domain.model.selection import LISTED, SelectionKind
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.domain.ports import RecordedChunk
from uplift.storage.chunks.statements import MOVE_BACK, NEXT_KEY, ORDER, RECORD, RECORDED_COHORTS, UNMOVED
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements.instances.cohort_counts import PENDING, CountChanges
from uplift.storage.statements.instances.cohorts import cohorts_of, undo_cohorts_of
from uplift.storage.statements.instances.conditions import bind_conditions
from uplift.storage.statements.outcomes.decisions import (
    count_skips,
    keep_decisions,
    kept_decisions,
    stored_code,
)

NO_MATCH = "-"
"""Replaces the code of a reason that is not retried; no stored code contains it."""


Targets = Mapping[tuple[int, int], tuple[int, int]]
"""The version and position to which an upgrade moves those of its PENDING instances, by surrogate keys."""


class Processed(NamedTuple):
    """The numbers of recorded and of moved instances of a chunk, and the cohorts of those not moved."""

    recorded: int
    moved: int
    unmoved: tuple[CountedCohort, ...]


class SqlChunks(ABC):
    """The chunks of a locked partition. Implements uplift.domain.ports.Chunks.

    A partition that is not stored belongs to an upgrade that no other transaction sees yet. A subclass
    records and moves with the statements of its database.
    """

    unmoved: ClassVar[Mapping[SelectionKind, Select[Any]]] = UNMOVED
    """Counts the recorded instances of a chunk that have not moved, by cohort."""

    def __init__(
        self,
        connection: Connection,
        surrogate_keys: SurrogateKeys,
        counts: CountChanges,
        upgrade_keys: UpgradeKeys,
        upgrade: Upgrade,
        partition: Partition,
        *,
        is_stored: bool = True,
    ) -> None:
        self._connection = connection
        self._surrogate_keys = surrogate_keys
        self._counts = counts
        self._upgrade_keys = upgrade_keys
        self._upgrade = upgrade
        self._partition = partition
        self._is_stored = is_stored
        self._kind = upgrade.selection
        self._bound_conditions: Mapping[str, Any] = {}

    async def end_of(self, size: int) -> int:
        last = self._partition.last
        if self._kind in LISTED:
            return min(self._partition.cursor + size, last)
        bound = {**self._bound(last), "before_end": size - 1}
        found: int | None = (await self._connection.execute(NEXT_KEY[self._kind], bound)).scalar_one_or_none()
        return last if found is None else found

    async def record_and_move(
        self, size: int, decisions: Collection[Decision], end: int | None = None
    ) -> RecordedChunk:
        if self._kind is SelectionKind.MATCHING and self._upgrade.conditions is not None:
            # Read once, so that all statements on the chunk mean the same positions.
            self._bound_conditions = await bind_conditions(
                self._connection, self._upgrade_keys.process_id, self._upgrade.conditions
            )
        if end is None:
            end = await self.end_of(size)
        recorded, moved, unmoved = await self._record(end, decisions)
        is_listed = self._kind in LISTED
        return RecordedChunk(
            recorded=recorded,
            moved=moved,
            unmoved=unmoved,
            not_found=end - self._partition.cursor - recorded if is_listed else 0,
            cursor=end,
            is_last=end >= self._partition.last,
        )

    async def move_rest(self, chunk: RecordedChunk, decisions: Collection[Decision]) -> int:
        if not decisions:
            return 0
        moved = await self._move(chunk.cursor, decisions)
        await self._count_moved(chunk.cursor, chunk.unmoved, decisions, moved)
        return moved

    async def order(self, chunk: RecordedChunk) -> int:
        bound = {**self._bound(chunk.cursor), "link": self._upgrade.link}
        return (await self._connection.execute(ORDER[self._kind], bound)).rowcount

    async def decisions(self) -> tuple[Decision, ...]:
        return await kept_decisions(self._connection, self._surrogate_keys, self._upgrade_keys)

    async def keep_decisions(self, decisions: Sequence[Decision]) -> Sequence[Decision]:
        return await keep_decisions(
            self._connection,
            self._surrogate_keys,
            self._upgrade_keys,
            decisions,
            is_shared=self._is_stored,
        )

    async def count_skips(self, skips: Sequence[CountedDecision]) -> None:
        last_key = self._partition.last if self._is_stored else None
        await count_skips(self._connection, self._surrogate_keys, self._upgrade_keys, skips, last_key)

    @abstractmethod
    async def _record(self, end: int, decisions: Collection[Decision]) -> Processed:
        """Record the chunk that ends at key `end`, and move instances as `decisions` say."""

    @abstractmethod
    async def _move(self, end: int, decisions: Collection[Decision]) -> int:
        """Move recorded instances of the chunk that ends at key `end`; returns their number."""

    async def _count_moved(
        self, end: int, recorded: Sequence[CountedCohort], decisions: Collection[Decision], moved: int
    ) -> tuple[CountedCohort, ...]:
        """Keep the counts of the cohorts that `moved` instances left and entered; return the unmoved cohorts.

        `recorded` has the cohorts of the chunk that ends at key `end` before the move.
        """
        moving = {decision.cohort for decision in decisions}
        leaving = {counted.cohort: counted.count for counted in recorded if counted.cohort in moving}
        if sum(leaving.values()) == moved:
            unmoved = tuple(counted for counted in recorded if counted.cohort not in moving)
        else:
            # Another worker may have stored a decision after `decisions` were read, which moves instances as
            # well; or instances left their cohort after they were recorded. The version shows what has moved.
            rows = (await self._connection.execute(self.unmoved[self._kind], self._bound(end))).all()
            unmoved = await self._counted_cohorts(rows)
            staying = {counted.cohort: counted.count for counted in unmoved}
            leaving = {counted.cohort: counted.count - staying.get(counted.cohort, 0) for counted in recorded}
            decisions = await self.decisions()
        await self._keep_counts(leaving, decisions)
        return unmoved

    async def _count_moved_as_stored(
        self, end: int, rows: Sequence[Any], targets: Targets, decisions: Collection[Decision], moved: int
    ) -> tuple[CountedCohort, ...]:
        """As `_count_moved`, from rows with the recorded cohorts, and where the stored decisions move them.

        Most chunks have hundreds of cohorts that move, and it takes long to read each as an object.
        """
        leaving: list[tuple[Any, tuple[int, int]]] = []
        others: list[Any] = []
        for row in rows:
            target = targets.get((row.version, row.position_id)) if row.status is Status.PENDING else None
            if target is None:
                others.append(row)
            else:
                leaving.append((row, target))
        if sum(row.instances for row, _ in leaving) != moved:
            return await self._count_moved(end, await self._counted_cohorts(rows), decisions, moved)
        process_id = self._upgrade_keys.process_id
        for row, (to_version, to_position_id) in leaving:
            self._counts.move(
                (process_id, row.version, PENDING, row.position_id),
                (process_id, to_version, PENDING, to_position_id),
                row.instances,
            )
        return await self._counted_cohorts(others)

    async def _keep_counts(self, leaving: Mapping[Cohort, int], decisions: Collection[Decision]) -> None:
        moves = [
            (decision.cohort, decision.to_version, decision.to_position, leaving[decision.cohort])
            for decision in decisions
            if decision.to_version is not None and leaving.get(decision.cohort)
        ]
        positions = {cohort.position for cohort, _, _, _ in moves}
        positions |= {to_position for _, _, to_position, _ in moves if to_position is not None}
        process_id = self._upgrade_keys.process_id
        numbers = await self._surrogate_keys.decided_position_ids(process_id, positions)
        for cohort, to_version, to_position, count in moves:
            assert to_position is not None, "an UPGRADE decision has a position"
            source = (process_id, cohort.version, PENDING, numbers[cohort.position])
            target = (process_id, to_version, PENDING, numbers[to_position])
            self._counts.move(source, target, count)

    async def _counted_cohorts(self, rows: Sequence[Any]) -> tuple[CountedCohort, ...]:
        if self._kind is SelectionKind.UNDO and rows:
            cohorts = await undo_cohorts_of(self._connection, self._surrogate_keys, self._upgrade_keys, rows)
        else:
            cohorts = await cohorts_of(self._surrogate_keys, rows)
            # The instances of a recorded chunk are locked.
            self._surrogate_keys.note_held_positions(
                self._upgrade_keys.process_id, (row.position_id for row in rows)
            )
        return tuple(
            CountedCohort(cohort=cohort, count=row.instances)
            for cohort, row in zip(cohorts, rows, strict=True)
        )

    def _bound(self, end: int) -> dict[str, Any]:
        bound: dict[str, Any] = {
            "upgrade_id": self._upgrade_keys.id,
            "of_process": self._upgrade_keys.process_id,
            "of_upgrade": self._upgrade_keys.of_upgrade_id,
            "after": self._partition.cursor,
            "upto": end,
            "target": self._upgrade.target_version,
            **self._bound_conditions,
        }
        if self._upgrade_keys.of_upgrade_id is not None:
            bound["has_orders"] = self._upgrade_keys.of_is_linked
        if self._kind is SelectionKind.RETRY:
            for code in ReasonCode:
                is_retried = code in self._upgrade.retried
                bound[f"retried_{code}"] = stored_code(code) if is_retried else NO_MATCH
                bound[f"refused_{code}"] = code.value if is_retried else NO_MATCH
        return bound


ChunksOf = Callable[[SelectionKind], type[SqlChunks]]
"""Chooses the chunks of an upgrade of some kind, in one kind of database."""


class RecordThenMove(SqlChunks):
    """Chunks that record all instances first, and then move some of the recorded ones."""

    async def _record(self, end: int, decisions: Collection[Decision]) -> Processed:
        bound = self._bound(end)
        recorded = await self._connection.execute_later(self._record_statement(), bound)
        rows = await self._recorded_cohorts(bound)
        moved = await self._move(end, decisions) if decisions else 0
        unmoved = await self._count_moved(end, await self._counted_cohorts(rows), decisions, moved)
        return Processed(recorded.rowcount, moved, unmoved)

    async def _recorded_cohorts(self, bound: Mapping[str, Any]) -> Sequence[Any]:
        """Count the instances of the recorded chunk by cohort."""
        rows: Sequence[Any] = (await self._connection.execute(RECORDED_COHORTS[self._kind], bound)).all()
        return rows

    async def _move(self, end: int, decisions: Collection[Decision]) -> int:
        bound, moved = self._bound(end), 0
        for statement in self._moves(decisions):
            moved += (await self._connection.execute(statement, bound)).rowcount
        return moved

    def _record_statement(self) -> Insert:
        return RECORD[self._kind]

    @abstractmethod
    def _moves(self, decisions: Collection[Decision]) -> Iterator[Update]:
        """The statements that carry out these decisions, all of which are stored."""


class UndoChunks(RecordThenMove):
    """The chunks of an undo, in which each instance returns to its own origin."""

    def _moves(self, decisions: Collection[Decision]) -> Iterator[Update]:
        del decisions  # one statement carries out all stored decisions
        yield MOVE_BACK
