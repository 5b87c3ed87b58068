"""The writes of a database that commit together or not at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.instance import Instance, InstanceId, InstanceReport
from uplift.domain.model.process import Process, ProcessKey, Version, VersionNumber
from uplift.domain.model.selection import UpgradeId, WorkedSelection
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.storage.chunks import CHUNKS
from uplift.storage.chunks.chunks import ChunksFactory
from uplift.storage.repositories import instances, partitions, processes, pruning, requests, upgrades
from uplift.storage.repositories.model_cache import ModelCache
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import take_turns
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.upgrade_keys import UpgradeKeys


@dataclass(slots=True)
class Session:
    """A connection, the surrogate keys that its transaction sees, and the upgrades that it changes."""

    connection: Connection
    surrogate_keys: SurrogateKeys
    chunks: ChunksFactory
    added: set[UpgradeId] = field(default_factory=set)
    changed: dict[UpgradeId, Upgrade] = field(default_factory=dict)

    async def process_id(self, process_key: ProcessKey) -> int:
        """The number of a process that exists."""
        found = await self.surrogate_keys.process_id(process_key)
        assert found is not None, f"process '{process_key}' was looked up before"
        return found


class SqlTransaction:
    """A transaction on one connection. Implements uplift.domain.ports.Transaction."""

    def __init__(
        self, connection: Connection, surrogate_keys: SurrogateKeys, model_cache: ModelCache
    ) -> None:
        self._session = Session(connection, surrogate_keys, CHUNKS[connection.dialect.name])
        self.processes = SqlProcessRepository(self._session, model_cache)
        self.instances = SqlInstanceRepository(self._session)
        self.upgrades = SqlUpgradeRepository(self._session)
        self.partitions = SqlPartitionRepository(self._session)

    @property
    def has_news(self) -> bool:
        """Whether it changed an upgrade that someone may wait for: not one begun and ended all in here."""
        added = self._session.added
        return any(
            upgrade.id not in added or not upgrade.is_finished for upgrade in self._session.changed.values()
        )


class SqlProcessRepository:
    """Implements uplift.domain.ports.ProcessRepository."""

    def __init__(self, session: Session, model_cache: ModelCache) -> None:
        self._session = session
        self._model_cache = model_cache

    async def find(self, process_key: ProcessKey) -> Process | None:
        return await processes.find_process(self._session.connection, process_key)

    async def add(self, process: Process) -> None:
        await processes.add_process(self._session.connection, process)

    async def lock_versions(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[Version, ...]]:
        connection, surrogate_keys = self._session.connection, self._session.surrogate_keys
        await processes.lock_processes(connection, surrogate_keys, process_keys)
        return await processes.find_versions(connection, surrogate_keys, process_keys)

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> bytes | None:
        process_id = await self._session.process_id(process_key)
        return await self._model_cache.find(self._session.connection, process_id, number)

    async def put_version(self, process_key: ProcessKey, version: Version, model: bytes | None) -> None:
        self._model_cache = ModelCache()  # what is rolled back must not stay in that of the store
        process_id = await self._session.process_id(process_key)
        await processes.put_version(self._session.connection, process_id, version, model)

    async def publish(self, process_key: ProcessKey, number: VersionNumber, at: datetime) -> None:
        self._model_cache = ModelCache()
        process_id = await self._session.process_id(process_key)
        await processes.publish(self._session.connection, process_id, number, at)


class SqlInstanceRepository:
    """Implements uplift.domain.ports.InstanceRepository."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._existing: set[InstanceId] = set()

    async def lock(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, ProcessKey]:
        owners = await instances.find_owners(self._session.connection, self._session.surrogate_keys, ids)
        self._existing.update(owners)
        return owners

    async def register(self, process_key: ProcessKey, new: Sequence[Instance]) -> None:
        await instances.register(
            self._session.connection,
            self._session.surrogate_keys,
            await self._session.process_id(process_key),
            new,
            may_be_new=self._existing.isdisjoint(instance.id for instance in new),
        )

    async def report(self, process_key: ProcessKey, reports: Sequence[InstanceReport]) -> None:
        process_id = await self._session.process_id(process_key)
        await instances.report(self._session.connection, self._session.surrogate_keys, process_id, reports)


class SqlLockedUpgrade:
    """Implements uplift.domain.ports.LockedUpgrade."""

    def __init__(self, session: Session, upgrade: Upgrade, upgrade_keys: UpgradeKeys) -> None:
        self._session = session
        self._upgrade_keys = upgrade_keys
        self.upgrade = upgrade

    async def remaining(self) -> tuple[Partition, ...]:
        return await partitions.partitions_left(self._session.connection, self._upgrade_keys, self.upgrade.id)

    async def save(self, upgrade: Upgrade) -> None:
        self._session.changed[upgrade.id] = upgrade
        await upgrades.save_upgrade(self._session.connection, self._upgrade_keys, upgrade)

    async def remember_request(self, idempotency_key: IdempotencyKey, at: datetime) -> None:
        await requests.remember_request(self._session.connection, idempotency_key, self._upgrade_keys, at)

    async def prune_outcomes(self, limit: int) -> int:
        return await pruning.prune_outcomes(self._session.connection, self._upgrade_keys, self.upgrade, limit)


class SqlLockedPartition:
    """Implements uplift.domain.ports.LockedPartition, and HeldPartition with the number of workers."""

    def __init__(
        self,
        session: Session,
        upgrade: Upgrade,
        upgrade_keys: UpgradeKeys,
        partition: Partition,
        workers: int = 1,
    ) -> None:
        self._connection = session.connection
        self._upgrade_keys = upgrade_keys
        self.upgrade = upgrade
        self.partition = partition
        self.workers = workers
        self.chunks = session.chunks(
            session.connection, session.surrogate_keys, upgrade_keys, upgrade, partition
        )

    async def add(self, partition: Partition) -> None:
        await partitions.add_partition(self._connection, self._upgrade_keys, partition)

    async def save(self, partition: Partition) -> None:
        await partitions.save_partition(self._connection, self._upgrade_keys, partition)

    async def end(self) -> None:
        await partitions.end_partition(self._connection, self._upgrade_keys, self.partition)


class SqlUpgradeRepository:
    """Implements uplift.domain.ports.UpgradeRepository."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, upgrade_id: UpgradeId) -> Upgrade | None:
        session = self._session
        found = await upgrades.find_upgrade(session.connection, session.surrogate_keys, upgrade_id)
        return None if found is None else found[0]

    async def lock(self, upgrade_id: UpgradeId) -> SqlLockedUpgrade | None:
        session = self._session
        found = await upgrades.lock_upgrade(session.connection, session.surrogate_keys, upgrade_id)
        return None if found is None else SqlLockedUpgrade(session, *found)

    async def add(
        self, upgrade: Upgrade, selection: WorkedSelection
    ) -> tuple[SqlLockedUpgrade, SqlLockedPartition]:
        session = self._session
        process_id = await session.process_id(upgrade.process)
        added, upgrade_keys = await upgrades.add_upgrade(session.connection, process_id, upgrade, selection)
        session.added.add(added.id)
        session.changed[added.id] = added
        whole = await partitions.whole(session.connection, upgrade_keys, added.id, selection)
        return (
            SqlLockedUpgrade(session, added, upgrade_keys),
            SqlLockedPartition(session, added, upgrade_keys, whole),
        )

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        connection = self._session.connection
        await take_turns(connection, "request", idempotency_key.caller, idempotency_key.key)
        return await requests.find_request(connection, idempotency_key, since)

    async def lock_claimable(
        self, now: datetime, *, only: UpgradeId | None = None
    ) -> tuple[SqlLockedUpgrade, SqlLockedPartition] | None:
        session = self._session
        found = await partitions.lock_claimable(session.connection, session.surrogate_keys, now, only)
        if found is None:
            return None
        upgrade, partition, upgrade_keys = found
        return (
            SqlLockedUpgrade(session, upgrade, upgrade_keys),
            SqlLockedPartition(session, upgrade, upgrade_keys, partition),
        )

    async def lock_prunable(self, before: datetime, limit: int) -> tuple[SqlLockedUpgrade, ...]:
        session = self._session
        found = await upgrades.lock_prunable(session.connection, session.surrogate_keys, before, limit)
        return tuple(SqlLockedUpgrade(session, *both) for both in found)


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
