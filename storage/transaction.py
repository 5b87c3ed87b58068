"""The writes that happen together or not at all; they answer uplift.domain.ports.Transaction."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from uplift.domain.model.decision import CountedDecision, Decision
from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.instance import Instance, InstanceId, InstanceReport
from uplift.domain.model.process import Process, ProcessKey, Version, VersionNumber
from uplift.domain.model.selection import UpgradeId, WorkedSelection
from uplift.domain.model.upgrade import Partition, Upgrade
from uplift.domain.ports import HeldPartition, RecordedChunk
from uplift.storage.chunks.chunks import Chunks
from uplift.storage.repositories import instances, partitions, processes, pruning, requests, upgrades
from uplift.storage.repositories.decisions import keep_decisions, kept_decisions
from uplift.storage.repositories.model_cache import ModelCache
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import take_turns
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.upgrade_keys import UpgradeKeys


class SqlTransaction:
    """A transaction on one connection. Implements uplift.domain.ports.Transaction.

    Changes of a process need a process that exists: the use cases ask for it first.
    """

    def __init__(self, connection: Connection, surrogate_keys: SurrogateKeys, models: ModelCache) -> None:
        self._connection = connection
        self._surrogate_keys = surrogate_keys
        self._model_cache = models
        self._has_changed_versions = False
        self._met: set[InstanceId] = set()
        self._opened: dict[UpgradeId, UpgradeKeys] = {}
        self._added: set[UpgradeId] = set()
        self._changed: dict[UpgradeId, Upgrade] = {}

    @property
    def has_news(self) -> bool:
        """Whether it changed an upgrade that someone may wait for: not one begun and ended all in here."""
        return any(one.id not in self._added or not one.is_finished for one in self._changed.values())

    async def process(self, key: ProcessKey) -> Process | None:
        return await processes.find_process(self._connection, key)

    async def add_process(self, process: Process) -> None:
        await processes.add_process(self._connection, process)

    async def versions(self, keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, tuple[Version, ...]]:
        await processes.lock_processes(self._connection, self._surrogate_keys, keys)
        return await processes.find_versions(self._connection, self._surrogate_keys, keys)

    async def model(self, key: ProcessKey, number: VersionNumber) -> bytes | None:
        models = ModelCache() if self._has_changed_versions else self._model_cache
        return await models.find(self._connection, await self._number(key), number)

    async def put_version(self, key: ProcessKey, version: Version, model: bytes | None) -> None:
        self._has_changed_versions = True
        await processes.put_version(self._connection, await self._number(key), version, model)

    async def publish(self, key: ProcessKey, number: VersionNumber, at: datetime) -> None:
        self._has_changed_versions = True
        await processes.publish(self._connection, await self._number(key), number, at)

    async def processes_of(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, ProcessKey]:
        owners = await instances.find_owners(self._connection, self._surrogate_keys, ids)
        self._met.update(owners)
        return owners

    async def register(self, key: ProcessKey, new: Sequence[Instance]) -> None:
        may_be_new = self._met.isdisjoint(one.id for one in new)
        await instances.register(
            self._connection, self._surrogate_keys, await self._number(key), new, may_be_new=may_be_new
        )

    async def report(self, key: ProcessKey, reports: Sequence[InstanceReport]) -> None:
        await instances.report(self._connection, self._surrogate_keys, await self._number(key), reports)

    async def upgrade(self, upgrade: UpgradeId) -> Upgrade | None:
        found = await upgrades.lock_upgrade(self._connection, self._surrogate_keys, upgrade)
        if found is None:
            return None
        self._opened[upgrade] = found[1]
        return found[0]

    async def claimable(
        self, now: datetime, *, only: UpgradeId | None = None
    ) -> tuple[Upgrade, Partition] | None:
        found = await partitions.lock_claimable(self._connection, self._surrogate_keys, now, only)
        if found is None:
            return None
        upgrade, partition, self._opened[upgrade.id] = found
        return upgrade, partition

    async def held_partition(self, upgrade: UpgradeId, worker: str, now: datetime) -> HeldPartition | None:
        found = await partitions.lock_held(self._connection, self._surrogate_keys, upgrade, worker, now)
        if found is None:
            return None
        held, self._opened[upgrade] = found
        return held

    async def partitions(self, upgrade: Upgrade) -> tuple[Partition, ...]:
        return await partitions.partitions_left(self._connection, self._opened[upgrade.id], upgrade.id)

    async def add_partition(self, partition: Partition) -> None:
        await partitions.add_partition(self._connection, self._opened[partition.upgrade], partition)

    async def save_partition(self, partition: Partition) -> None:
        await partitions.save_partition(self._connection, self._opened[partition.upgrade], partition)

    async def end_partition(self, partition: Partition) -> None:
        await partitions.end_partition(self._connection, self._opened[partition.upgrade], partition)

    async def end_of_chunk(self, upgrade: Upgrade, partition: Partition, size: int) -> int:
        return await self._chunks_of(upgrade, partition).end(size)

    async def known_request(self, key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        await take_turns(self._connection, "request", key.caller, key.key)
        return await requests.find_request(self._connection, key, since)

    async def remember_request(self, key: IdempotencyKey, upgrade: UpgradeId, at: datetime) -> None:
        await requests.remember_request(self._connection, key, self._opened[upgrade], at)

    async def prunable(self, before: datetime, most: int) -> tuple[Upgrade, ...]:
        found = await upgrades.lock_prunable(self._connection, self._surrogate_keys, before, most)
        self._opened.update((upgrade.id, upgrade_keys) for upgrade, upgrade_keys in found)
        return tuple(upgrade for upgrade, _ in found)

    async def prune_outcomes(self, upgrade: Upgrade, most: int) -> int:
        return await pruning.prune_outcomes(self._connection, self._opened[upgrade.id], upgrade, most)

    async def add_upgrade(self, upgrade: Upgrade, selection: WorkedSelection) -> tuple[Upgrade, Partition]:
        process_id = await self._number(upgrade.process)
        added, upgrade_keys = await upgrades.add_upgrade(self._connection, process_id, upgrade, selection)
        self._opened[upgrade.id] = upgrade_keys
        self._added.add(upgrade.id)
        self._changed[upgrade.id] = added
        return added, await partitions.whole(self._connection, upgrade_keys, upgrade.id, selection)

    async def record_chunk(
        self, upgrade: Upgrade, partition: Partition, size: int, decisions: Collection[Decision]
    ) -> RecordedChunk:
        return await self._chunks_of(upgrade, partition).record(size, decisions)

    async def move(
        self, upgrade: Upgrade, partition: Partition, chunk: RecordedChunk, decisions: Collection[Decision]
    ) -> int:
        return await self._chunks_of(upgrade, partition).move(chunk.cursor, decisions)

    async def decisions(self, upgrade: Upgrade) -> tuple[Decision, ...]:
        return await kept_decisions(self._connection, self._surrogate_keys, self._opened[upgrade.id])

    async def keep_decisions(self, upgrade: Upgrade, decisions: Sequence[CountedDecision]) -> None:
        await keep_decisions(self._connection, self._surrogate_keys, self._opened[upgrade.id], decisions)

    async def save_upgrade(self, upgrade: Upgrade) -> None:
        self._changed[upgrade.id] = upgrade
        await upgrades.save_upgrade(self._connection, self._opened[upgrade.id], upgrade)

    def _chunks_of(self, upgrade: Upgrade, partition: Partition) -> Chunks:
        return Chunks(self._connection, self._surrogate_keys, self._opened[upgrade.id], upgrade, partition)

    async def _number(self, key: ProcessKey) -> int:
        number = await self._surrogate_keys.process_id(key)
        assert number is not None, f"process '{key}' was looked up before"
        return number
