"""Stores instances in buckets. Each statement that locks or writes names one bucket, along the buckets."""

from asyncio import to_thread
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select, update

from uplift.domain.concurrency import pieces
from uplift.domain.model.instance import Instance, InstanceId, Position
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.upgrade import HistoryEntry
from uplift.storage.in_buckets.histories import find_histories
from uplift.storage.in_buckets.pruning import prune_positions
from uplift.storage.in_buckets.sessions import BucketSession
from uplift.storage.repositories.instances import (
    Reported,
    SqlInstanceQueries,
    SqlInstanceRepository,
    StoredInstance,
)
from uplift.storage.sql.bucket_tables import BUCKET, instance
from uplift.storage.sql.dialect import arrays, copy_new, insert_absent, reserve_keys, unnest_rows
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.statements.instances.cohort_counts import StoredCohort
from uplift.storage.statements.instances.instances import (
    COPY_THRESHOLD,
    INSERT_PIECE,
    STATUS_CODES,
    cohort_in,
    instances_of,
    locking,
    rows_to_insert,
)

FIND = select(
    instance.c.uuid, instance.c.process_id, instance.c.version, instance.c.status, instance.c.position_id
).where(instance.c.bucket == BUCKET, instance.c.uuid.in_(select(ID_LIST.c.uuid)))
LOCK = locking(instance).where(instance.c.bucket == BUCKET)
ROWS = unnest_rows(instance, {name: f"row_{name}" for name in ("id", "status", "position_id")})
UPDATE = (
    update(instance)
    .where(instance.c.bucket == BUCKET, instance.c.id == ROWS.c.id)
    .values(status=ROWS.c.status, position_id=ROWS.c.position_id)
)


class BucketInstanceQueries(SqlInstanceQueries):
    """Implements uplift.domain.ports.InstanceQueries."""

    async def find_many(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        found: dict[InstanceId, Instance] = {}
        async with self._reading() as (connection, surrogate_keys):
            for bucket, listed in connection.layout.by_bucket(dict.fromkeys(ids), lambda uuid: uuid).items():
                rows = (await connection.execute(FIND, {"of_bucket": bucket, **bind_ids(listed)})).all()
                found.update((stored.id, stored) for stored in await instances_of(surrogate_keys, rows))
        return {instance_id: found[instance_id] for instance_id in ids if instance_id in found}

    async def histories(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, tuple[HistoryEntry, ...]]:
        async with self._reading() as (connection, surrogate_keys):
            return await find_histories(connection, surrogate_keys, ids)


class BucketInstanceRepository(SqlInstanceRepository):
    """Implements uplift.domain.ports.InstanceRepository."""

    _session: BucketSession

    async def lock(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, ProcessKey]:
        connection = self._session.connection
        stored: list[StoredInstance | None] = [None] * len(ids)
        for bucket, numbered in connection.layout.by_bucket(enumerate(ids), lambda pair: pair[1]).items():
            bound = {"of_bucket": bucket, **bind_ids([uuid for _, uuid in numbered])}
            async for _, piece in pieces((await connection.execute(LOCK, bound)).all()):
                for row in piece:
                    stored[numbered[row[0] - 1][0]] = row[1], tuple(row[2:])
        found = [(instance_id, known[1][0]) for instance_id, known in zip(ids, stored, strict=True) if known]
        process_keys = await self._session.surrogate_keys.process_keys({number for _, number in found})
        self._locked, self._stored = ids, stored
        return {instance_id: process_keys[number] for instance_id, number in found}

    async def _insert(
        self, process_id: int, absent: Sequence[Instance], position_ids: Mapping[Position, int]
    ) -> list[Instance]:
        if not absent:
            return []
        connection = self._session.connection
        # Lists show instances by surrogate key, so each instance gets its key in the order of the request.
        keys = await reserve_keys(connection, instance, len(absent))
        numbered = zip(keys, absent, strict=True)
        taken: list[Instance] = []
        for bucket, of_bucket in connection.layout.by_bucket(numbered, lambda pair: pair[1].id).items():
            taken += await self._insert_into(bucket, process_id, of_bucket, position_ids)
        return taken

    async def _insert_into(
        self,
        bucket: int,
        process_id: int,
        numbered: list[tuple[int, Instance]],
        position_ids: Mapping[Position, int],
    ) -> list[Instance]:
        """Insert instances of a bucket. Returns those that another transaction has inserted."""
        connection, counts = self._session.connection, self._session.bucket_counts.of(bucket)

        async def rows_of(pairs: Sequence[tuple[int, Instance]]) -> AsyncIterator[list[dict[str, Any]]]:
            async for _, piece in pieces(pairs, INSERT_PIECE):
                new = rows_to_insert(process_id, [registered for _, registered in piece], position_ids)
                yield [{**row, "id": key, "bucket": bucket} for row, (key, _) in zip(new, piece, strict=True)]

        if len(numbered) >= COPY_THRESHOLD and await copy_new(connection, instance, rows_of(numbered)):
            async for rows in rows_of(numbered):
                counts.add(map(cohort_in, rows))
            return []
        # An INSERT waits for a transaction that inserts the same id, so two orders could deadlock.
        await to_thread(numbered.sort, key=lambda pair: pair[1].id.int)
        present: set[InstanceId] = set()
        async for rows in rows_of(numbered):
            # The ids that come back, never the count of rows: that may be of the rows that were sent.
            inserted = await insert_absent(connection, instance, rows, key="uuid")
            counts.add(cohort_in(row) for row in rows if row["uuid"] in inserted)
            present.update(inserted)
        return [registered for _, registered in numbered if registered.id not in present]

    async def _update(
        self,
        reports: Sequence[tuple[Reported, StoredInstance]],
        position_ids: Mapping[Position, int],
    ) -> None:
        connection = self._session.connection
        # The keys of this dictionary keep only the last report on each instance.
        latest = {stored[0]: (report, stored) for report, stored in reports}
        by_bucket = connection.layout.by_bucket(latest.values(), lambda entry: entry[0].id)
        for bucket, entries in by_bucket.items():
            counts = self._session.bucket_counts.of(bucket)
            async for _, piece in pieces(entries, INSERT_PIECE):
                changes = _changes(piece, position_ids)
                if changes:
                    counts.remove(source for _, source, _ in changes)
                    counts.add(target for _, _, target in changes)
                    bound = {"of_bucket": bucket, **arrays([row for row, _, _ in changes])}
                    await connection.execute(UPDATE, bound)

    async def prune_positions(self, limit: int) -> int:
        return await prune_positions(self._session.connection, limit)


def _changes(
    piece: Sequence[tuple[Reported, StoredInstance]], position_ids: Mapping[Position, int]
) -> list[tuple[dict[str, Any], StoredCohort, StoredCohort]]:
    """The parameters of each instance that changes, with the cohorts that it leaves and enters."""
    changes: list[tuple[dict[str, Any], StoredCohort, StoredCohort]] = []
    for report, (number, cohort) in piece:
        status, position_id = STATUS_CODES[report.status], position_ids[report.position]
        if cohort[2] != status or cohort[3] != position_id:
            row: dict[str, Any] = {
                "row_id": number,
                "row_status": report.status,
                "row_position_id": position_id,
            }
            changes.append((row, cohort, (cohort[0], cohort[1], status, position_id)))
    return changes
