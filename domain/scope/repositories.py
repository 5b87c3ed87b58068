"""The repositories of a transaction within the scope of a caller.

A hidden process, instance or upgrade does not exist. A write that names a hidden process raises OutsideScope;
use cases look a process up before they write to it, so only the creation of a process gets that far.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from uplift.domain.concurrency import pieces
from uplift.domain.errors import OutsideScope
from uplift.domain.model.access import Caller
from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.instance import Instance, InstanceId, InstanceReport
from uplift.domain.model.process import Process, ProcessKey, Version, VersionModel, VersionNumber
from uplift.domain.model.selection import UpgradeId, UpgradeSelection
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.ports import (
    HeldPartition,
    InstanceRepository,
    LockedPartition,
    LockedUpgrade,
    ProcessRepository,
    Transaction,
    UpgradeRepository,
)
from uplift.domain.scope.queries import NEEDS_WHOLE_STORE, of_visible, only_visible
from uplift.domain.use_cases.instances import require_owner


class ScopedProcessRepository:
    """Implements uplift.domain.ports.ProcessRepository within the scope of a caller."""

    def __init__(self, processes: ProcessRepository, caller: Caller) -> None:
        self._processes = processes
        self._caller = caller

    async def find(self, process_key: ProcessKey) -> Process | None:
        return await self._processes.find(process_key) if self._caller.may_see(process_key) else None

    async def add(self, process: Process) -> None:
        require_in_scope(self._caller, process.key)
        await self._processes.add(process)

    async def lock_versions(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[Version, ...]]:
        return await of_visible(self._caller.may_see, process_keys, self._processes.lock_versions, ())

    async def model(self, process_key: ProcessKey, number: VersionNumber) -> VersionModel | None:
        return await self._processes.model(process_key, number) if self._caller.may_see(process_key) else None

    async def put_version(self, process_key: ProcessKey, version: Version, model: bytes | None) -> None:
        require_in_scope(self._caller, process_key)
        await self._processes.put_version(process_key, version, model)

    async def publish(self, process_key: ProcessKey, number: VersionNumber, at: datetime) -> None:
        require_in_scope(self._caller, process_key)
        await self._processes.publish(process_key, number, at)


class ScopedInstanceRepository:
    """Implements uplift.domain.ports.InstanceRepository within the scope of a caller."""

    def __init__(self, instances: InstanceRepository, caller: Caller) -> None:
        self._instances = instances
        self._caller = caller

    async def lock(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, ProcessKey]:
        owners = await self._instances.lock(ids)
        visible: dict[InstanceId, ProcessKey] = {}
        async for _, piece in pieces(list(owners.items())):
            visible.update((key, process) for key, process in piece if self._caller.may_see(process))
        return visible

    async def register(self, process_key: ProcessKey, instances: Sequence[Instance]) -> None:
        require_in_scope(self._caller, process_key)
        # Registering an id that exists changes its instance, and a hidden one must not change. Ids are unique
        # in the whole store, so the request is refused, in the words for any other process.
        ids = [instance.id for instance in instances]
        await require_owner(process_key, ids, await self._instances.lock(ids))
        await self._instances.register(process_key, instances)

    async def report(self, process_key: ProcessKey, reports: Sequence[InstanceReport]) -> None:
        require_in_scope(self._caller, process_key)
        await self._instances.report(process_key, reports)

    async def prune_positions(self, limit: int) -> int:
        # Nobody can see the positions that it deletes.
        return await self._instances.prune_positions(limit)


class ScopedUpgradeRepository:
    """Implements uplift.domain.ports.UpgradeRepository within the scope of a caller."""

    def __init__(self, upgrades: UpgradeRepository, caller: Caller) -> None:
        self._upgrades = upgrades
        self._caller = caller

    async def find(self, upgrade_id: UpgradeId) -> Upgrade | None:
        return only_visible(self._caller, await self._upgrades.find(upgrade_id))

    async def lock(self, upgrade_id: UpgradeId) -> LockedUpgrade | None:
        # Looked up first: waiting for the lock of a hidden upgrade would show that it exists.
        return None if await self.find(upgrade_id) is None else await self._upgrades.lock(upgrade_id)

    async def add(
        self, upgrade: Upgrade, selection: UpgradeSelection
    ) -> tuple[LockedUpgrade, Sequence[LockedPartition]]:
        require_in_scope(self._caller, upgrade.process)
        return await self._upgrades.add(upgrade, selection)

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        known = await self._upgrades.known_request(idempotency_key, since=since)
        return None if known is None or await self.find(known.upgrade_id) is None else known

    async def lock_claimable(
        self, upgrade_id: UpgradeId, now: datetime
    ) -> tuple[LockedUpgrade, LockedPartition] | None:
        return (
            None
            if await self.find(upgrade_id) is None
            else await self._upgrades.lock_claimable(upgrade_id, now)
        )

    async def lock_ordering(self, process_key: ProcessKey, now: datetime) -> bool:
        require_in_scope(self._caller, process_key)
        return await self._upgrades.lock_ordering(process_key, now)

    async def lock_prunable(self, before: datetime, limit: int) -> tuple[LockedUpgrade, ...]:
        del before, limit
        raise ValueError(NEEDS_WHOLE_STORE)


class ScopedPartitionRepository:
    """Implements uplift.domain.ports.PartitionRepository within the scope of a caller."""

    def __init__(self, transaction: Transaction, caller: Caller) -> None:
        self._partitions = transaction.partitions
        self._upgrades = ScopedUpgradeRepository(transaction.upgrades, caller)

    async def lock_held(self, upgrade_id: UpgradeId, worker: str, now: datetime) -> HeldPartition | None:
        if await self._upgrades.find(upgrade_id) is None:
            return None
        return await self._partitions.lock_held(upgrade_id, worker, now)


def require_in_scope(caller: Caller, process_key: ProcessKey) -> None:
    """Raise OutsideScope for a process that is hidden from the caller, whether it exists or not."""
    if not caller.may_see(process_key):
        raise OutsideScope(caller=caller.name, namespace=process_key.namespace)
