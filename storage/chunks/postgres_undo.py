"""Records and moves the chunks of an undo in PostgreSQL.

Decisions come as arrays: PostgreSQL knows the length of an array. It guesses that a table which was not
analyzed yet has a few rows, and would then read the chunk once for each decision.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, Select, Update, any_, bindparam, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from uplift.domain.model.decision import Decision
from uplift.domain.model.instance import Status
from uplift.domain.model.order import OrderState
from uplift.domain.model.selection import SelectionKind
from uplift.storage.chunks.chunks import Processed, SqlChunks
from uplift.storage.chunks.statements import (
    AFTER,
    HAS_ORDERS,
    OF_UPGRADE,
    RECORDED,
    UPGRADE_ID,
    UPTO,
    cohort_columns,
    earlier,
    has_order,
    recorded_in_chunk,
)
from uplift.storage.sql.dialect import unnest_rows
from uplift.storage.sql.tables import decision, instance, outcome
from uplift.storage.statements.instances.cohorts import MOVES

ORIGIN = ("origin_version", "origin_position_id")
COHORT = ("version", "position_id", *ORIGIN)
IS_MOVED = (earlier.c.position_id * literal(2**32, BigInteger) + earlier.c.version) == any_(
    bindparam("moved_cohorts", type_=ARRAY(BigInteger))
)
"""Whether the earlier upgrade moved the cohort. It was no undo, so cohorts have no origins.

PostgreSQL looks a number up in a hash table of the array, but compares two columns with each row of a join.
"""
MOVES_BACK = unnest_rows(
    decision, {name: f"back_{name}" for name in (*COHORT, "to_version", "to_position_id")}
)


class PostgresUndoChunks(SqlChunks):
    """The chunks of an undo, in which each instance returns to its own origin."""

    async def _record(self, end: int, decisions: Collection[Decision]) -> Processed:
        earlier_moves = await self._connection.execute(
            MOVES, {"of_upgrade": self._upgrade_keys.of_upgrade_id}
        )
        moved_cohorts = [move.position_id * 2**32 + move.version for move in earlier_moves]
        bound = {**self._bound(end), "moved_cohorts": moved_cohorts}
        rows = (await self._connection.execute(RECORD_MOVED, bound)).all()
        moved = await self._move(end, decisions) if decisions else 0
        unmoved = await self._count_moved(end, await self._counted_cohorts(rows), decisions, moved)
        return Processed(sum(row.instances for row in rows), moved, unmoved)

    async def _move(self, end: int, decisions: Collection[Decision]) -> int:
        bound = {**self._bound(end), **await self._bound_moves_back(decisions)}
        return (await self._connection.execute(MOVE_BACK, bound)).rowcount

    async def _bound_moves_back(self, decisions: Collection[Decision]) -> dict[str, list[int]]:
        """The decisions, all of which are stored, as the parameters of MOVES_BACK."""
        moves = [
            (decision.cohort, decision.cohort.origin, decision.to_version, decision.to_position)
            for decision in decisions
            if decision.cohort.origin is not None
            and decision.to_version is not None
            and decision.to_position is not None
        ]
        positions = {cohort.position for cohort, _, _, _ in moves}
        positions |= {origin.position for _, origin, _, _ in moves}
        positions |= {to_position for _, _, _, to_position in moves}
        numbers = await self._surrogate_keys.decided_position_ids(self._upgrade_keys.process_id, positions)
        return {
            "back_version": [cohort.version for cohort, _, _, _ in moves],
            "back_position_id": [numbers[cohort.position] for cohort, _, _, _ in moves],
            "back_origin_version": [origin.version for _, origin, _, _ in moves],
            "back_origin_position_id": [numbers[origin.position] for _, origin, _, _ in moves],
            "back_to_version": [to_version for _, _, to_version, _ in moves],
            "back_to_position_id": [numbers[to_position] for _, _, _, to_position in moves],
        }


def _record_moved() -> Select[Any]:
    """Lock and record the instances of the chunk that the earlier upgrade moved, and count them by cohort."""
    found = (
        select(
            UPGRADE_ID,
            instance.c.id,
            instance.c.version,
            instance.c.status,
            instance.c.position_id,
            earlier.c.version,
            earlier.c.position_id,
        )
        .join_from(earlier, instance, instance.c.id == earlier.c.instance_id)
        .where(
            earlier.c.upgrade_id == OF_UPGRADE,
            earlier.c.instance_id > AFTER,
            earlier.c.instance_id <= UPTO,
            earlier.c.status == Status.PENDING,
            IS_MOVED,
            ~HAS_ORDERS | has_order(OrderState.CONFIRMED),
        )
        .order_by(instance.c.id)
        .with_for_update(of=instance, key_share=True)
    )
    recorded = (
        insert(outcome)
        .from_select([*RECORDED, *ORIGIN], found)
        .returning(*cohort_columns(SelectionKind.UNDO))
        .cte("recorded")
    )
    return select(*recorded.c, func.count().label("instances")).group_by(*recorded.c)


def _move_back() -> Update:
    """Move the recorded instances of the chunk, which are locked, to their origins."""
    return (
        update(instance)
        .where(
            recorded_in_chunk(SelectionKind.UNDO),
            outcome.c.instance_id == instance.c.id,
            instance.c.status == Status.PENDING,
            instance.c.version == outcome.c.version,
            instance.c.position_id == outcome.c.position_id,
            *(outcome.c[name] == MOVES_BACK.c[name] for name in COHORT),
        )
        .values(version=MOVES_BACK.c.to_version, position_id=MOVES_BACK.c.to_position_id)
    )


RECORD_MOVED = _record_moved()
MOVE_BACK = _move_back()
