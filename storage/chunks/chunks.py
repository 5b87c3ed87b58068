"""How one chunk of an upgrade is recorded and moved, and what of it stays where it is."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Update
from sqlalchemy.exc import DBAPIError

from uplift.domain.model.cohort import CountedCohort
from uplift.domain.model.decision import CountedDecision, Decision, ReasonCode
from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.domain.ports import RecordedChunk
from uplift.storage.chunks.statements import (
    MOVE_AND_RECORD,
    MOVE_BACK,
    MOVE_ELSEWHERE,
    MOVE_IN_PLACE,
    MOVE_RECORDED,
    NEXT_KEY,
    RECORD,
    RECORD_REST,
    RECORD_REST_AT_ONCE,
    STILL_THERE,
    UNMOVED,
)
from uplift.storage.postgres.backend import LOCK_WAIT
from uplift.storage.repositories.cohorts import cohorts_of, undo_cohorts_of
from uplift.storage.repositories.decisions import keep_decisions, kept_decisions, stored_code
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.upgrade_keys import UpgradeKeys

LOCK_NOT_AVAILABLE = "55P03"
"""The SQLSTATE."""
BRIEFLY = "100ms"
"""How long moving waits for an instance. Where tables are not analysed, PostgreSQL may not come along the
ids, and so meet in a circle with somebody who does: it gives way before that is found out, after a second."""
NO_CODE = "-"
"""Stands for a reason that a retry does not take up: no stored code contains it."""


class Done(NamedTuple):
    """What was recorded, what of it was moved, and the rest by cohort."""

    recorded: int
    moved: int
    unmoved: tuple[CountedCohort, ...]


class SqlChunks:
    """The chunks of a partition of an upgrade, within a transaction that has locked the partition."""

    def __init__(
        self,
        connection: Connection,
        surrogate_keys: SurrogateKeys,
        upgrade_keys: UpgradeKeys,
        running: Upgrade,
        partition: Partition,
    ) -> None:
        self._connection = connection
        self._surrogate_keys = surrogate_keys
        self._opened = upgrade_keys
        self._running = running
        self._partition = partition
        self._kind = running.selection
        # SQLite has no statement that moves and records; of an undo each instance has an origin of its own.
        self._records_first = connection.dialect.name == "sqlite" or self._kind is SelectionKind.UNDO

    async def end(self, size: int) -> int:
        """As uplift.domain.ports.Chunks.end."""
        last = self._partition.last
        if self._kind is SelectionKind.BY_IDS:
            return min(self._partition.cursor + size, last)
        bound = {**self._bound(last), "before_end": size - 1}
        found: int | None = (await self._connection.execute(NEXT_KEY[self._kind], bound)).scalar_one_or_none()
        return last if found is None else found

    async def record(self, size: int, decisions: Collection[Decision]) -> RecordedChunk:
        """As uplift.domain.ports.Chunks.record."""
        upto = await self.end(size)
        if self._records_first:
            recorded, moved, unmoved = await self._record_then_move(upto, decisions)
        else:
            recorded, moved, unmoved = await self._move_and_record(upto, decisions)
        is_by_ids = self._kind is SelectionKind.BY_IDS
        return RecordedChunk(
            recorded=recorded,
            moved=moved,
            unmoved=unmoved,
            not_found=upto - self._partition.cursor - recorded if is_by_ids else 0,
            cursor=upto,
            is_last=upto >= self._partition.last,
        )

    async def move(self, chunk: RecordedChunk, decisions: Collection[Decision]) -> int:
        """As uplift.domain.ports.Chunks.move."""
        return await self._move(chunk.cursor, decisions)

    async def decisions(self) -> tuple[Decision, ...]:
        """As uplift.domain.ports.Chunks.decisions."""
        return await kept_decisions(self._connection, self._surrogate_keys, self._opened)

    async def keep_decisions(self, decisions: Sequence[CountedDecision]) -> None:
        """As uplift.domain.ports.Chunks.keep_decisions."""
        await keep_decisions(self._connection, self._surrogate_keys, self._opened, decisions)

    async def _move(self, upto: int, decisions: Collection[Decision]) -> int:
        if not decisions:
            return 0
        bound = self._bound(upto)
        if self._records_first:
            moved = 0
            for statement in self._moves_of_recorded(decisions):
                moved += (await self._connection.execute(statement, bound)).rowcount
            return moved
        moving = {**bound, **await self._moving(decisions)}
        return (await self._connection.execute(MOVE_RECORDED[self._kind], moving)).rowcount

    async def _record_then_move(self, upto: int, decisions: Collection[Decision]) -> Done:
        bound = self._bound(upto)
        recorded = (await self._connection.execute(RECORD[self._kind], bound)).rowcount
        moved = await self._move(upto, decisions)
        rows = [] if moved == recorded else (await self._connection.execute(UNMOVED[self._kind], bound)).all()
        if moved + sum(row.instances for row in rows) != recorded:
            # Another worker has decided a cohort since the given decisions were read, or these moved.
            rows = (await self._connection.execute(STILL_THERE[self._kind], bound)).all()
        return Done(recorded, moved, await self._counted(rows))

    async def _move_and_record(self, upto: int, decisions: Collection[Decision]) -> Done:
        tried = None
        if decisions and self._kind is SelectionKind.ALL_ACTIVE:
            tried = await self._move_then_record_the_rest(upto, decisions)
        if tried is None:
            tried = 0, (await self._connection.execute(RECORD_REST[self._kind], self._bound(upto))).all()
        moved, rows = tried
        rest = await self._counted(rows)
        recorded = moved + sum(one.count for one in rest)
        decided = {one.cohort for one in decisions}
        if any(one.cohort in decided for one in rest):
            moved += await self._move(upto, decisions)
        return Done(recorded, moved, tuple(one for one in rest if one.cohort not in decided))

    async def _move_then_record_the_rest(
        self, upto: int, decisions: Collection[Decision]
    ) -> tuple[int, Sequence[Any]] | None:
        """How many moved, and the rest as rows; None, with nothing done, when it would wait for the rest."""
        bound = self._bound(upto)
        moving = {**bound, **await self._moving(decisions)}
        await self._connection.exec_driver_sql("SAVEPOINT attempt")  # the transaction's end is also its own
        await self._connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{BRIEFLY}'")
        try:
            done = (await self._connection.execute(MOVE_AND_RECORD, moving)).one()
            rest: Sequence[Any] = []
            if done.moved != done.covered:
                rest = (await self._connection.execute(RECORD_REST_AT_ONCE, bound)).all()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            await self._connection.exec_driver_sql("ROLLBACK TO SAVEPOINT attempt")
            return None
        await self._connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
        return done.moved, rest

    def _moves_of_recorded(self, decisions: Collection[Decision]) -> Iterator[Update]:
        if self._kind is SelectionKind.UNDO:
            yield MOVE_BACK
            return
        if any(one.to_position == one.cohort.position for one in decisions):
            yield MOVE_IN_PLACE[self._kind]
        if any(one.to_position != one.cohort.position for one in decisions):
            yield MOVE_ELSEWHERE[self._kind]

    async def _moving(self, decisions: Collection[Decision]) -> dict[str, list[int]]:
        """The decisions, all of which are kept, as MOVING takes them."""
        positions = {one.cohort.position for one in decisions}
        positions |= {one.to_position for one in decisions if one.to_position is not None}
        numbers = await self._surrogate_keys.position_ids(self._opened.process_id, positions)
        moves = [(one.cohort, one.to_position) for one in decisions if one.to_position is not None]
        return {
            "moving_version": [cohort.version for cohort, _ in moves],
            "moving_position_id": [numbers[cohort.position] for cohort, _ in moves],
            "moving_to_position_id": [numbers[to_position] for _, to_position in moves],
        }

    async def _counted(self, rows: Sequence[Any]) -> tuple[CountedCohort, ...]:
        cohorts = (
            await undo_cohorts_of(self._connection, self._surrogate_keys, self._opened, rows)
            if self._kind is SelectionKind.UNDO and rows
            else await cohorts_of(self._surrogate_keys, rows)
        )
        return tuple(
            CountedCohort(cohort=cohort, count=row.instances)
            for cohort, row in zip(cohorts, rows, strict=True)
        )

    def _bound(self, upto: int) -> dict[str, Any]:
        bound: dict[str, Any] = {
            "upgrade_id": self._opened.id,
            "of_process": self._opened.process_id,
            "of_upgrade": self._opened.of_upgrade_id,
            "after": self._partition.cursor,
            "upto": upto,
            "target": self._running.target_version,
        }
        if self._kind is SelectionKind.RETRY:
            for code in ReasonCode:
                bound[f"retried_{code}"] = stored_code(code) if code in self._running.retried else NO_CODE
        return bound
