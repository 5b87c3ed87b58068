"""Implements the ports of upgrades, their outcomes and idempotency keys."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from uplift.domain.model.decision import CountedDecision
from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import UpgradeId, UpgradeSelection
from uplift.domain.model.upgrade import Outcome, Partition, Upgrade
from uplift.domain.ports import OutcomeFilter
from uplift.storage.repositories.partitions import SqlLockedPartition
from uplift.storage.repositories.sessions import Reading, Session
from uplift.storage.sql.dialect import lock_subject
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements import outcomes, partitions, pruning, requests, upgrades


class SqlLockedUpgrade:
    """Implements uplift.domain.ports.LockedUpgrade."""

    def __init__(self, session: Session, upgrade: Upgrade, upgrade_keys: UpgradeKeys) -> None:
        self._session = session
        self._upgrade_keys = upgrade_keys
        self.upgrade = upgrade

    async def remaining(self) -> tuple[Partition, ...]:
        return await partitions.remaining_partitions(
            self._session.connection, self._upgrade_keys, self.upgrade.id
        )

    async def save(self, upgrade: Upgrade) -> None:
        self._session.changed[upgrade.id] = upgrade
        await upgrades.save_upgrade(self._session.connection, self._upgrade_keys, upgrade)

    async def remember_request(self, idempotency_key: IdempotencyKey, at: datetime) -> None:
        await requests.remember_request(self._session.connection, idempotency_key, self._upgrade_keys, at)

    async def prune_outcomes(self, limit: int) -> int:
        return await pruning.prune_outcomes(self._session.connection, self._upgrade_keys, self.upgrade, limit)


class SqlUpgradeQueries:
    """Implements uplift.domain.ports.UpgradeQueries."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def find(self, upgrade_id: UpgradeId) -> Upgrade | None:
        async with self._reading() as (connection, surrogate_keys):
            found = await upgrades.find_upgrade(connection, surrogate_keys, upgrade_id)
            return None if found is None else found[0]

    async def find_many(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, Upgrade]:
        async with self._reading() as (connection, surrogate_keys):
            return await upgrades.find_upgrades(connection, surrogate_keys, ids)

    async def page(self, process_key: ProcessKey | None, page: PageRequest) -> Page[Upgrade]:
        async with self._reading() as (connection, surrogate_keys):
            return await upgrades.upgrade_page(connection, surrogate_keys, process_key, page)

    async def claimable(self, now: datetime, *, only: UpgradeId | None = None) -> Upgrade | None:
        async with self._reading() as (connection, surrogate_keys):
            return await partitions.find_claimable(connection, surrogate_keys, now, only)

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        async with self._reading() as (connection, _):
            return await requests.find_request(connection, idempotency_key, since)

    async def measured_rate(self) -> float | None:
        async with self._reading() as (connection, _):
            return await upgrades.measure_rate(connection)

    async def outcome_pages(
        self, ids: Sequence[UpgradeId], outcome_filter: OutcomeFilter, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Outcome]]:
        async with self._reading() as (connection, surrogate_keys):
            return await outcomes.outcome_pages(connection, surrogate_keys, ids, outcome_filter, page)

    async def skip_decisions(
        self, ids: Sequence[UpgradeId]
    ) -> Mapping[UpgradeId, tuple[CountedDecision, ...]]:
        async with self._reading() as (connection, surrogate_keys):
            return await upgrades.find_decisions(connection, surrogate_keys, ids)


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
        self, upgrade: Upgrade, selection: UpgradeSelection
    ) -> tuple[SqlLockedUpgrade, SqlLockedPartition]:
        session = self._session
        process_id = await session.process_id(upgrade.process)
        added, upgrade_keys = await upgrades.add_upgrade(session.connection, process_id, upgrade, selection)
        session.added.add(added.id)
        session.changed[added.id] = added
        whole = await partitions.whole_partition(session.connection, upgrade_keys, added.id, selection)
        return (
            SqlLockedUpgrade(session, added, upgrade_keys),
            SqlLockedPartition(session, added, upgrade_keys, whole),
        )

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        connection = self._session.connection
        await lock_subject(connection, "request", idempotency_key.caller, idempotency_key.key)
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
        return tuple(SqlLockedUpgrade(session, upgrade, upgrade_keys) for upgrade, upgrade_keys in found)
