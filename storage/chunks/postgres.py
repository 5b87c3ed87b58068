"""Records and moves chunks in PostgreSQL, where other transactions write at the same time.

Each recorded instance is locked: by the UPDATE that moves it, or by SELECT FOR UPDATE before the INSERT of
its outcome.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Select, Update, func, insert, literal, select, true, update
from sqlalchemy.exc import DBAPIError

from uplift.domain.model.decision import Decision
from uplift.domain.model.instance import Status
from uplift.domain.model.selection import SelectionKind
from uplift.storage.chunks.chunks import Processed, SqlChunks, Targets
from uplift.storage.chunks.postgres_undo import PostgresUndoChunks
from uplift.storage.chunks.statements import (
    ALONG_ACTIVE,
    FORWARD,
    IN_CHUNK,
    RECORDED,
    TARGET,
    UPGRADE_ID,
    cohort_columns,
    recordable,
    recorded_in_chunk,
)
from uplift.storage.sql.dialect import LOCK_WAIT, unnest_rows
from uplift.storage.sql.sqlstate import LOCK_NOT_AVAILABLE, sqlstate
from uplift.storage.sql.tables import STATUS, decision, instance, outcome
from uplift.storage.statements.instances.cohort_counts import PENDING

ATTEMPT_LOCK_WAIT = "100ms"
"""How long an attempt to move waits for the lock of an instance.

Without statistics PostgreSQL may lock instances in another order than by id, and deadlock with a transaction
that locks by id. The server detects a deadlock after a second; this timeout ends it before.
"""
MOVED = ("version", "position_id", "to_position_id")
MOVES = unnest_rows(decision, {name: f"moves_{name}" for name in MOVED})
"""The moving decisions as arrays: PostgreSQL knows their length, but would guess the size of a table."""


def postgres_chunks(kind: SelectionKind) -> type[SqlChunks]:
    """The chunks of an upgrade of this kind."""
    return PostgresUndoChunks if kind is SelectionKind.UNDO else PostgresChunks


class PostgresChunks(SqlChunks):
    """The chunks of an upgrade or a retry."""

    async def _record(self, end: int, decisions: Collection[Decision]) -> Processed:
        attempt = None
        # Every transaction locks instances by ascending id. An UPDATE does so only for the kinds whose
        # instances the index of active ones yields. For others, moving before locking could deadlock.
        if decisions and self._kind in MOVE_AND_RECORD:
            attempt = await self._try_move_and_record(end, decisions)
        if attempt is None:
            attempt = (), (await self._connection.execute(RECORD_REST[self._kind], self._bound(end))).all()
        moves, rows = attempt
        moved = self._keep_moves(moves)
        recorded = moved + sum(row.instances for row in rows)
        targets = await self._targets(decisions) if rows else {}
        if any(row.status is Status.PENDING and (row.version, row.position_id) in targets for row in rows):
            rest = await self._move(end, decisions)
            unmoved = await self._count_moved_as_stored(end, rows, targets, decisions, rest)
            return Processed(recorded, moved + rest, unmoved)
        return Processed(recorded, moved, await self._counted_cohorts(rows))

    def _keep_moves(self, moves: Sequence[Any]) -> int:
        """Keep the counts of the cohorts that instances left and entered; return the number of instances."""
        process_id, target = self._upgrade_keys.process_id, self._upgrade.target_version
        assert target is not None, "only an undo has no target version"
        for move in moves:
            self._counts.move(
                (process_id, move.version, PENDING, move.position_id),
                (process_id, target, PENDING, move.to_position_id),
                move.instances,
            )
        return sum(move.instances for move in moves)

    async def _move(self, end: int, decisions: Collection[Decision]) -> int:
        bound = {**self._bound(end), **await self._bound_moves(decisions)}
        return (await self._connection.execute(MOVE_RECORDED[self._kind], bound)).rowcount

    async def _try_move_and_record(
        self, end: int, decisions: Collection[Decision]
    ) -> tuple[Sequence[Any], Sequence[Any]] | None:
        """The moved instances and the rest, by cohort; None, with nothing done, on lock timeout."""
        bound = self._bound(end)
        moving = {**bound, **await self._bound_moves(decisions)}
        # The commit releases the savepoint; releasing it here would cost another statement.
        await self._connection.exec_driver_sql("SAVEPOINT attempt")
        await self._connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{ATTEMPT_LOCK_WAIT}'")
        try:
            counts = (await self._connection.execute(MOVE_AND_RECORD[self._kind], moving)).all()
            moves = [row for row in counts if row.instances is not None]
            rest: Sequence[Any] = []
            if sum(move.instances for move in moves) != counts[0].covered:
                # The moved instances are locked now. Waiting for more locks could deadlock with a transaction
                # that waits for one of these, so NOWAIT raises instead.
                rest = (await self._connection.execute(RECORD_REST_NOWAIT[self._kind], bound)).all()
                # Decisions on the rest may wait for other workers. If the chunk has moved, nothing waits.
                # Not DEFAULT: behind a pooler, the session has not the timeout of this transaction.
                await self._connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
        except DBAPIError as error:
            if sqlstate(error) != LOCK_NOT_AVAILABLE:
                raise
            await self._connection.exec_driver_sql("ROLLBACK TO SAVEPOINT attempt")
            return None
        return moves, rest

    async def _targets(self, decisions: Collection[Decision]) -> Targets:
        """Where these decisions move instances."""
        target = self._upgrade.target_version
        assert target is not None, "only an undo has no target version"
        bound = await self._bound_moves(decisions)
        moves = zip(*(bound[f"moves_{name}"] for name in MOVED), strict=True)
        return {
            (version, position_id): (target, to_position_id) for version, position_id, to_position_id in moves
        }

    async def _bound_moves(self, decisions: Collection[Decision]) -> dict[str, list[int]]:
        """The decisions, all of which are stored, as the parameters of MOVES."""
        positions = {decision.cohort.position for decision in decisions}
        positions |= {decision.to_position for decision in decisions if decision.to_position is not None}
        numbers = await self._surrogate_keys.decided_position_ids(self._upgrade_keys.process_id, positions)
        moves = [
            (decision.cohort, decision.to_position)
            for decision in decisions
            if decision.to_position is not None
        ]
        return {
            "moves_version": [cohort.version for cohort, _ in moves],
            "moves_position_id": [numbers[cohort.position] for cohort, _ in moves],
            "moves_to_position_id": [numbers[to_position] for _, to_position in moves],
        }


def _move_and_record(kind: SelectionKind) -> Select[Any]:
    """Move and record the active instances of the cohorts in MOVES, and count them, and the whole chunk.

    Each row has a cohort of moved instances, or none if nothing moved, and the count of the chunk in the
    statement's snapshot. The UPDATE moves those that are still in such a cohort once they are locked, so
    equal counts mean that the whole chunk has moved. Only for active instances, which are found, and so
    locked, by ascending id.
    """
    in_chunk = IN_CHUNK[kind]
    moved = (
        update(instance)
        .where(
            in_chunk,
            instance.c.status == Status.PENDING,
            instance.c.version == MOVES.c.version,
            instance.c.position_id == MOVES.c.position_id,
        )
        .values(version=TARGET, position_id=MOVES.c.to_position_id)
        .returning(instance.c.id, MOVES.c.version, MOVES.c.position_id, MOVES.c.to_position_id)
        .cte("moved")
    )
    found = select(
        UPGRADE_ID, moved.c.id, moved.c.version, literal(Status.PENDING, STATUS), moved.c.position_id
    )
    recorded = insert(outcome).from_select(RECORDED, found).cte("recorded")
    covered = select(func.count().label("covered")).select_from(instance).where(in_chunk).subquery("chunk")
    cohort = (moved.c.version, moved.c.position_id, moved.c.to_position_id)
    counted = select(*cohort, func.count().label("instances")).group_by(*cohort).subquery("counted")
    return (
        select(covered.c.covered, *counted.c)
        .select_from(covered.outerjoin(counted, true()))
        .add_cte(recorded)
    )


def _record_rest(kind: SelectionKind, *, nowait: bool = False) -> Select[Any]:
    """Lock and record the instances of the chunk without an outcome, and count them by cohort.

    With `nowait` a locked instance is an error: a transaction that has moved others must not wait, because a
    report that waits for one of these may hold the lock. NOT IN reads the outcomes of the chunk once. For an
    anti join PostgreSQL chooses a nested loop over all pairs until the tables are analyzed.
    """
    recorded = select(outcome.c.instance_id).where(recorded_in_chunk(kind))
    cohort = cohort_columns(kind)
    rest = (
        insert(outcome)
        .from_select(
            RECORDED, recordable(IN_CHUNK[kind], nowait=nowait).where(instance.c.id.not_in(recorded))
        )
        .returning(*cohort)
        .cte("rest")
    )
    return select(*rest.c, func.count().label("instances")).group_by(*rest.c)


def _move_recorded(kind: SelectionKind) -> Update:
    """Move the recorded instances of the chunk, which are locked, and no others.

    Instances that became active or were registered after the chunk was recorded have no outcome.
    """
    return (
        update(instance)
        .where(
            recorded_in_chunk(kind),
            outcome.c.instance_id == instance.c.id,
            instance.c.status == Status.PENDING,
            instance.c.version == outcome.c.version,
            instance.c.position_id == outcome.c.position_id,
            outcome.c.version == MOVES.c.version,
            outcome.c.position_id == MOVES.c.position_id,
        )
        .values(version=TARGET, position_id=MOVES.c.to_position_id)
    )


MOVE_AND_RECORD = {kind: _move_and_record(kind) for kind in ALONG_ACTIVE}
RECORD_REST_NOWAIT = {kind: _record_rest(kind, nowait=True) for kind in ALONG_ACTIVE}
RECORD_REST = {kind: _record_rest(kind) for kind in FORWARD}
MOVE_RECORDED = {kind: _move_recorded(kind) for kind in FORWARD}
