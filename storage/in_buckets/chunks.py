"""Records and moves the chunks of one bucket: records with locks, then moves what is recorded."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy import Select, bindparam, select

from uplift.domain.model.decision import CountedDecision, Decision, ReasonCode
from uplift.domain.model.instance import Status
from uplift.domain.model.selection import LISTED, SelectionKind
from uplift.domain.ports import RecordedChunk
from uplift.storage.chunks.chunks import Processed, SqlChunks
from uplift.storage.chunks.postgres import PostgresChunks
from uplift.storage.in_buckets.chunk_statements import (
    COHORT_OF_OUTCOME,
    MOVE_BACK,
    MOVE_OF_COHORT,
    MOVE_RECORDED,
    NEXT_KEY,
    RECORD,
    RECORDED_COHORTS,
    UNMOVED,
)
from uplift.storage.sql.bucket_tables import skip_count
from uplift.storage.sql.buckets import bucket_of_key, key_in, key_within
from uplift.storage.sql.dialect import insert_many, upsert_adding
from uplift.storage.sql.tables import decision
from uplift.storage.statements.outcomes.decisions import KEY, skip_rows, stored_code

COUNT_SKIPS = upsert_adding(skip_count, keys=[*KEY, "last_key", "bucket"], counts=["instances"])
COHORTS = select(*(decision.c[name] for name in MOVE_OF_COHORT), decision.c.codes).where(
    decision.c.upgrade_id == bindparam("of_upgrade")
)


class BucketChunks(PostgresChunks):
    """The chunks of an upgrade or a retry within a bucket. The keys of its partition name the bucket."""

    unmoved: ClassVar[Mapping[SelectionKind, Select[Any]]] = UNMOVED
    _earlier: Mapping[str, Sequence[Any]] | None = None

    @property
    def _bucket(self) -> int:
        return bucket_of_key(self._partition.last)

    async def end_of(self, size: int) -> int:
        await self._load_earlier()
        last = self._partition.last
        if self._kind in LISTED:
            return min(self._partition.cursor + size, last)
        bound = {**self._bound(last), "before_end": size - 1}
        found: int | None = (await self._connection.execute(NEXT_KEY[self._kind], bound)).scalar_one_or_none()
        return last if found is None else key_in(self._bucket, found)

    async def order(self, chunk: RecordedChunk) -> int:
        raise AssertionError(f"a database with buckets has no links, but a chunk up to {chunk.cursor} orders")

    async def count_skips(self, skips: Sequence[CountedDecision]) -> None:
        if not self._is_stored:
            await super().count_skips(skips)
            return
        place = {"last_key": key_within(self._partition.last), "bucket": self._bucket}
        rows = await skip_rows(self._surrogate_keys, self._upgrade_keys, skips)
        await insert_many(self._connection, COUNT_SKIPS, [{**row, **place} for row in rows])

    async def _record(self, end: int, decisions: Collection[Decision]) -> Processed:
        rows = await self._recorded(end)
        recorded = sum(row.instances for row in rows)
        targets = await self._targets(decisions) if decisions else {}
        if any(row.status is Status.PENDING and (row.version, row.position_id) in targets for row in rows):
            moved = await self._move(end, decisions)
            unmoved = await self._count_moved_as_stored(end, rows, targets, decisions, moved)
            return Processed(recorded, moved, unmoved)
        return Processed(recorded, 0, await self._counted_cohorts(rows))

    async def _recorded(self, end: int) -> Sequence[Any]:
        """Record the chunk, and count what was recorded by cohort."""
        bound = self._bound(end)
        await self._connection.execute(RECORD[self._kind], bound)
        rows: Sequence[Any] = (await self._connection.execute(RECORDED_COHORTS[self._kind], bound)).all()
        return rows

    async def _move(self, end: int, decisions: Collection[Decision]) -> int:
        bound = {**self._bound(end), **await self._bound_moves(decisions)}
        return (await self._connection.execute(MOVE_RECORDED[self._kind], bound)).rowcount

    async def _load_earlier(self) -> None:
        """Read which cohorts of the earlier upgrade a retry or an undo processes."""
        if self._earlier is not None or self._upgrade_keys.of_upgrade_id is None:
            return
        bound = {"of_upgrade": self._upgrade_keys.of_upgrade_id}
        codes = [stored_code(code) for code in ReasonCode if code in self._upgrade.retried]
        is_undo = self._kind is SelectionKind.UNDO
        chosen = [
            row
            for row in (await self._connection.execute(COHORTS, bound)).all()
            if (row.to_position_id is not None if is_undo else any(code in row.codes for code in codes))
        ]
        self._earlier = _arrays(chosen, "earlier", COHORT_OF_OUTCOME)

    def _bound(self, end: int) -> dict[str, Any]:
        return {
            **super()._bound(end),
            "after": key_within(self._partition.cursor),
            "upto": key_within(end),
            "of_bucket": self._bucket,
            **(self._earlier or {}),
        }


class BucketUndoChunks(BucketChunks):
    """The chunks of an undo within a bucket, in which each instance returns to its own origin."""

    async def _record(self, end: int, decisions: Collection[Decision]) -> Processed:
        rows = await self._recorded(end)
        moved = await self._move(end, decisions) if decisions else 0
        unmoved = await self._count_moved(end, await self._counted_cohorts(rows), decisions, moved)
        return Processed(sum(row.instances for row in rows), moved, unmoved)

    async def _move(self, end: int, decisions: Collection[Decision]) -> int:
        del decisions  # one statement carries out all stored decisions
        stored = (await self._connection.execute(COHORTS, {"of_upgrade": self._upgrade_keys.id})).all()
        moving = [row for row in stored if row.to_position_id is not None]
        bound = {**self._bound(end), **_arrays(moving, "back", MOVE_OF_COHORT)}
        return (await self._connection.execute(MOVE_BACK, bound)).rowcount


def bucket_chunks(kind: SelectionKind) -> type[SqlChunks]:
    """The chunks of an upgrade of this kind."""
    return BucketUndoChunks if kind is SelectionKind.UNDO else BucketChunks


def _arrays(rows: Sequence[Any], prefix: str, names: Sequence[str]) -> dict[str, list[Any]]:
    return {f"{prefix}_{name}": [getattr(row, name) for row in rows] for name in names}
