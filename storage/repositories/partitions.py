"""Stores the partitions of upgrades."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.storage.chunks.statements import ALONG_ACTIVE, NEXT_ACTIVE
from uplift.storage.repositories.sessions import Reading, Session
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.tables import partition, upgrade
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements.instances.cohort_counts import ADD_CHANGE
from uplift.storage.statements.outcomes.tallies import COUNTS, take_over
from uplift.storage.statements.upgrades import partitions
from uplift.storage.statements.upgrades.partitions import IS_THIS_PARTITION, PARTITION_COLUMNS

REMAINING_OF_MANY = (
    select(upgrade.c.uuid, *PARTITION_COLUMNS)
    .join_from(ID_LIST, upgrade, upgrade.c.uuid == ID_LIST.c.uuid)
    .join(partition, partition.c.upgrade_id == upgrade.c.id)
    .order_by(partition.c.last_key)
)
ADD = insert(partition)
SAVE = (
    update(partition)
    .where(IS_THIS_PARTITION)
    .values({name: bindparam(f"new_{name}") for name in ("cursor", "lease_worker", "lease_until", *COUNTS)})
)
SAVE_AND_COUNT = ADD_CHANGE.add_cte(SAVE.cte("saved"))
END = delete(partition).where(IS_THIS_PARTITION)


class SqlLockedPartition:
    """Implements uplift.domain.ports.LockedPartition, and HeldPartition with the number of workers."""

    def __init__(
        self,
        session: Session,
        upgrade: Upgrade,
        upgrade_keys: UpgradeKeys,
        partition: Partition,
        workers: int = 1,
        *,
        is_stored: bool = True,
    ) -> None:
        self._session = session
        self._connection = session.connection
        self._upgrade_keys = upgrade_keys
        self.upgrade = upgrade
        self.partition = partition
        self.workers = workers
        self.chunks = session.chunks(upgrade.selection)(
            session.connection,
            session.surrogate_keys,
            session.counts,
            upgrade_keys,
            upgrade,
            partition,
            is_stored=is_stored,
        )

    async def add(self, partition: Partition) -> None:
        values = {"upgrade_id": self._upgrade_keys.id, "last_key": partition.last, **_changing(partition)}
        await self._connection.execute_later(ADD, values)

    async def save(self, partition: Partition) -> None:
        values = {f"new_{name}": value for name, value in _changing(partition).items()}
        bound = {"of_upgrade": self._upgrade_keys.id, "of_last": partition.last, **values}
        # One statement for both: a chunk has locked its instances, and each round trip keeps them locked.
        change = self._session.counts.take(self._connection)
        if change is None:
            await self._connection.execute_later(SAVE, bound)
        else:
            await self._connection.execute(SAVE_AND_COUNT, {**bound, **change})
        self._session.note_saved_partition(self.upgrade, partition)

    async def end(self) -> None:
        await take_over(self._connection, self._upgrade_keys, self.partition)
        bound = {"of_upgrade": self._upgrade_keys.id, "of_last": self.partition.last}
        await self._connection.execute_later(END, bound)
        self._session.changed.setdefault(self.upgrade.id, self.upgrade)


class SqlPartitionQueries:
    """Implements uplift.domain.ports.PartitionQueries."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def remaining(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[Partition, ...]]:
        async with self._reading() as (connection, _):
            rows = (await connection.execute(REMAINING_OF_MANY, bind_ids(ids))).all()
        found: dict[UpgradeId, list[Partition]] = defaultdict(list)
        for row in rows:
            found[row.uuid].append(partitions.partition_in(row, row.uuid))
        return {upgrade_id: tuple(found[upgrade_id]) for upgrade_id in ids}

    async def end_of_chunk(self, upgrade: Upgrade, partition: Partition, size: int) -> int | None:
        if upgrade.selection not in ALONG_ACTIVE or not self._reading.is_sqlite:
            # PostgreSQL finds it as fast within the chunk, and needs no further transaction.
            return None
        # Here it runs in the pause before the chunk, while other programs may have the lock of the file.
        async with self._reading(in_background=True) as (connection, surrogate_keys):
            process_id = await surrogate_keys.process_id(upgrade.process)
            bound = {"of_process": process_id, "after": partition.cursor, "upto": partition.last}
            found: int | None = (
                await connection.execute(NEXT_ACTIVE, {**bound, "before_end": size - 1})
            ).scalar_one_or_none()
        return partition.last if found is None else found


class SqlPartitionRepository:
    """Implements uplift.domain.ports.PartitionRepository."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def lock_held(self, upgrade_id: UpgradeId, worker: str, now: datetime) -> SqlLockedPartition | None:
        session = self._session
        found = await partitions.lock_held(
            session.connection, session.surrogate_keys, upgrade_id, worker, now
        )
        if found is None:
            return None
        upgrade, partition, upgrade_keys, workers = found
        return SqlLockedPartition(session, upgrade, upgrade_keys, partition, workers)


def _changing(partition: Partition) -> dict[str, Any]:
    return {
        "cursor": partition.cursor,
        "lease_worker": None if partition.lease is None else partition.lease.worker,
        "lease_until": None if partition.lease is None else partition.lease.until,
        **{name: getattr(partition.tally, name) for name in COUNTS},
    }
