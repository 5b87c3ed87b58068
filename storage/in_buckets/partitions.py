"""Stores the partitions of upgrades in buckets, and remembers where a worker holds one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Partition, Tally, Upgrade
from uplift.storage.in_buckets import partition_statements
from uplift.storage.in_buckets.chunks import bucket_chunks
from uplift.storage.in_buckets.holdings import Holding
from uplift.storage.in_buckets.partition_statements import (
    ADD,
    LOCK_HELD,
    SAVE,
    bound_to,
    partition_in,
    partitions_of,
)
from uplift.storage.in_buckets.sessions import BucketSession
from uplift.storage.repositories.sessions import Reading
from uplift.storage.sql.buckets import bucket_of_key, key_within
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.tables import upgrade
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements.outcomes.bucket_totals import with_own_counts
from uplift.storage.statements.outcomes.tallies import COUNTS
from uplift.storage.statements.upgrades.upgrades import UPGRADE, keys_of, upgrade_in

KEYS_BY_UUID = select(upgrade.c.id, upgrade.c.uuid).join(ID_LIST, ID_LIST.c.uuid == upgrade.c.uuid)


class LockedPartitionInBucket:
    """Implements uplift.domain.ports.LockedPartition, and HeldPartition with the number of workers."""

    def __init__(
        self,
        session: BucketSession,
        upgrade: Upgrade,
        upgrade_keys: UpgradeKeys,
        partition: Partition,
        workers: int = 1,
        *,
        is_stored: bool = True,
    ) -> None:
        self._session = session
        self._upgrade_keys = upgrade_keys
        self.upgrade = upgrade
        self.partition = partition
        self.workers = workers
        self.chunks = bucket_chunks(upgrade.selection)(
            session.connection,
            session.surrogate_keys,
            session.bucket_counts.of(bucket_of_key(partition.last)),
            upgrade_keys,
            upgrade,
            partition,
            is_stored=is_stored,
        )

    async def add(self, partition: Partition) -> None:
        place = {"bucket": bucket_of_key(partition.last), "last_key": key_within(partition.last)}
        values = {"upgrade_id": self._upgrade_keys.id, **place, **partition_statements.values_of(partition)}
        await self._session.connection.execute(ADD, values)

    async def save(self, partition: Partition) -> None:
        values = {f"new_{name}": value for name, value in partition_statements.values_of(partition).items()}
        bound = {**bound_to(self._upgrade_keys, partition.last), **values}
        await self._session.connection.execute(SAVE, bound)
        self._session.note_saved_partition(self.upgrade, partition)

    async def end(self) -> None:
        connection, last = self._session.connection, self.partition.last
        await partition_statements.end_partition(connection, self._upgrade_keys, last)
        self._session.changed.setdefault(self.upgrade.id, self.upgrade)


class BucketPartitionQueries:
    """Implements uplift.domain.ports.PartitionQueries."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def remaining(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[Partition, ...]]:
        async with self._reading() as (connection, _):
            uuids = {row.id: row.uuid for row in await connection.execute(KEYS_BY_UUID, bind_ids(ids))}
            rows = await partitions_of(connection, uuids)
        found: dict[UpgradeId, list[Partition]] = defaultdict(list)
        for row in rows:
            uuid = UpgradeId(uuids[row.upgrade_id])
            found[uuid].append(partition_in(row, uuid))
        return {upgrade_id: tuple(found[upgrade_id]) for upgrade_id in ids}

    async def end_of_chunk(self, upgrade: Upgrade, partition: Partition, size: int) -> int | None:
        del upgrade, partition, size
        return None  # PostgreSQL finds it as fast within the chunk, and needs no further transaction


class BucketPartitionRepository:
    """Implements uplift.domain.ports.PartitionRepository."""

    def __init__(self, session: BucketSession) -> None:
        self._session = session

    async def lock_held(
        self, upgrade_id: UpgradeId, worker: str, now: datetime
    ) -> LockedPartitionInBucket | None:
        session = self._session
        own_upgrade = with_own_counts(UPGRADE)
        row = (await session.connection.execute(own_upgrade, {"uuid": upgrade_id})).one_or_none()
        if row is None:
            return None
        own = [getattr(row, name) for name in COUNTS]
        known = session.holdings.find(upgrade_id, worker, own, now)
        partition = None if known is None else await self._lock(row, known, worker)
        if partition is None:
            known = await self._look(row, worker, own, now)
            partition = None if known is None else await self._lock(row, known, worker)
        if known is None or partition is None:
            return None
        session.holdings.keep(upgrade_id, worker, known)
        process_key = await session.surrogate_keys.process_key(row.process_id)
        upgrade = upgrade_in(row, process_key).with_tally(known.others + partition.tally)
        return LockedPartitionInBucket(session, upgrade, keys_of(row), partition, known.workers)

    async def _look(self, row: Any, worker: str, own: Sequence[Any], now: datetime) -> Holding | None:
        """Look for the first partition of the worker, and at all others, in all buckets."""
        found = [
            partition_in(found, row.upgrade_uuid)
            for found in await partitions_of(self._session.connection, [row.id])
        ]
        mine = next((held for held in found if held.lease is not None and held.lease.worker == worker), None)
        if mine is None:
            return None
        others = [other for other in found if other.last != mine.last]
        done = Tally()
        for other in others:
            done += other.tally
        workers = 1 + sum(other.is_worked_on(now) for other in others)
        return Holding(last=mine.last, own=own, others=done, workers=workers, at=now)

    async def _lock(self, row: Any, known: Holding, worker: str) -> Partition | None:
        bound = {**bound_to(keys_of(row), known.last), "worker": worker}
        locked = (await self._session.connection.execute(LOCK_HELD, bound)).one_or_none()
        return None if locked is None else partition_in(locked, row.upgrade_uuid)
