"""Stores upgrades: adds them, locks and changes them, and finds those to prune."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from sqlalchemy import bindparam, or_, select

from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import SelectionKind, UpgradeId, UpgradeSelection
from uplift.domain.model.upgrade import UNFINISHED, Partition, Upgrade
from uplift.domain.model.upgrade_event import UpgradeEvent
from uplift.domain.ports import LockedPartition, LockedUpgrade
from uplift.storage.repositories.partitions import SqlLockedPartition
from uplift.storage.repositories.sessions import Session
from uplift.storage.sql.dialect import lock_subject
from uplift.storage.sql.surrogate_keys import UpgradeHead
from uplift.storage.sql.tables import upgrade
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.statements.outcomes.bucket_totals import in_layout
from uplift.storage.statements.upgrades import (
    known_requests,
    new_upgrades,
    partitions,
    pruning,
    upgrade_events,
    upgrades,
)
from uplift.storage.statements.upgrades.upgrades import UPGRADES

FEW = 10
"""SQLite executes statements on so few instances faster on the event loop than in a thread."""

other = upgrade.alias("other")

FINISHED_BEFORE = (
    UPGRADES.where(
        upgrade.c.state.not_in(UNFINISHED),
        upgrade.c.finished_at < bindparam("before"),
        upgrade.c.ordered + upgrade.c.sent == 0,
        or_(upgrade.c.pruned_at.is_(None), upgrade.c.first_instance_id.is_not(None)),
        upgrade.c.id.not_in(
            select(other.c.of_upgrade_id).where(
                other.c.state.in_(UNFINISHED), other.c.of_upgrade_id.is_not(None)
            )
        ),
    )
    .order_by(upgrade.c.id)
    .limit(bindparam("limit"))
)
LOCKED_FINISHED = FINISHED_BEFORE.with_only_columns(upgrade.c.id).with_for_update(
    of=upgrade, key_share=True, skip_locked=True
)
"""Skips locked upgrades: another transaction prunes or retries them, and a later call finds them again."""
FINISHED_AND_LOCKED = FINISHED_BEFORE.where(upgrade.c.id.in_(bindparam("locked", expanding=True)))


class SqlLockedUpgrade:
    """Implements uplift.domain.ports.LockedUpgrade."""

    def __init__(self, session: Session, upgrade: Upgrade, upgrade_keys: UpgradeKeys) -> None:
        self._session = session
        self._upgrade_keys = upgrade_keys
        self._latest = upgrade
        self.upgrade = upgrade

    async def remaining(self) -> tuple[Partition, ...]:
        return await partitions.remaining_partitions(
            self._session.connection, self._upgrade_keys, self.upgrade.id
        )

    async def stop(self) -> Upgrade:
        session = self._session
        await self._stop_partitions()
        found = await upgrades.find_upgrade(session.connection, session.surrogate_keys, self.upgrade.id)
        assert found is not None, "it is locked"
        self._latest = found[0]
        return self._latest

    async def _stop_partitions(self) -> None:
        await partitions.stop_partitions(self._session.connection, self._upgrade_keys)

    async def save(self, upgrade: Upgrade) -> None:
        more = upgrade.tally - self._latest.tally
        await upgrades.save_upgrade(self._session.connection, self._upgrade_keys, upgrade, more=more)
        self._session.changed[upgrade.id] = self._latest = upgrade

    async def add_event(self, event: UpgradeEvent) -> None:
        await upgrade_events.add_event(self._session.connection, self._upgrade_keys, event)

    async def remember_request(self, idempotency_key: IdempotencyKey, at: datetime) -> None:
        await known_requests.remember_request(
            self._session.connection, idempotency_key, self._upgrade_keys, at
        )

    async def prune_outcomes(self, limit: int) -> int:
        return await pruning.prune_outcomes(self._session.connection, self._upgrade_keys, self.upgrade, limit)


class SqlUpgradeRepository:
    """Implements uplift.domain.ports.UpgradeRepository."""

    _locked: ClassVar[type[SqlLockedUpgrade]] = SqlLockedUpgrade

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, upgrade_id: UpgradeId) -> Upgrade | None:
        session = self._session
        found = await upgrades.find_upgrade(session.connection, session.surrogate_keys, upgrade_id)
        return None if found is None else found[0]

    async def lock(self, upgrade_id: UpgradeId) -> SqlLockedUpgrade | None:
        session = self._session
        found = await upgrades.lock_upgrade(session.connection, session.surrogate_keys, upgrade_id)
        return None if found is None else self._locked(session, *found)

    async def add(
        self, upgrade: Upgrade, selection: UpgradeSelection
    ) -> tuple[LockedUpgrade, Sequence[LockedPartition]]:
        session = self._session
        process_id = await session.process_id(upgrade.process)
        has_few = selection.kind is SelectionKind.BY_IDS and len(selection.named_ids) <= FEW
        if has_few and not upgrade.mappings:
            session.connection.expect_few_rows()
        added, upgrade_keys = await new_upgrades.add_upgrade(
            session.connection, process_id, upgrade, selection
        )
        head = UpgradeHead(upgrade_keys.id, added.id, added.selection, added.link, added.named_ids)
        session.surrogate_keys.add_upgrade(head)
        session.added.add(added.id)
        session.changed[added.id] = added
        whole = await partitions.whole_partition(session.connection, upgrade_keys, added, selection)
        return (
            SqlLockedUpgrade(session, added, upgrade_keys),
            (SqlLockedPartition(session, added, upgrade_keys, whole, is_stored=False),),
        )

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        connection = self._session.connection
        # Requests with the same key wait for each other, so that only the first adds an upgrade.
        await lock_subject(connection, "request", idempotency_key.caller, idempotency_key.key)
        return await known_requests.find_request(connection, idempotency_key, since)

    async def lock_claimable(
        self, upgrade_id: UpgradeId, now: datetime
    ) -> tuple[LockedUpgrade, LockedPartition] | None:
        session = self._session
        found = await partitions.lock_claimable(session.connection, session.surrogate_keys, upgrade_id, now)
        if found is None:
            return None
        upgrade, partition, upgrade_keys = found
        return (
            SqlLockedUpgrade(session, upgrade, upgrade_keys),
            SqlLockedPartition(session, upgrade, upgrade_keys, partition),
        )

    async def lock_ordering(self, process_key: ProcessKey, now: datetime) -> bool:
        process_id = await self._session.process_id(process_key)
        return await partitions.lock_ordering(self._session.connection, process_id, now)

    async def lock_prunable(self, before: datetime, limit: int) -> tuple[SqlLockedUpgrade, ...]:
        session = self._session
        bound = {"before": before, "limit": limit}
        locked = [row.id for row in await session.connection.execute(LOCKED_FINISHED, bound)]
        # A retry may have been committed while the first statement ran. The second statement has a new
        # snapshot, so it sees the retry and leaves its upgrade out.
        bound_locked = {**bound, "locked": locked}
        statement = in_layout(session.connection, FINISHED_AND_LOCKED)
        rows = (await session.connection.execute(statement, bound_locked)).all()
        prunable = await upgrades.upgrades_of(session.surrogate_keys, rows)
        return tuple(
            self._locked(session, upgrade, upgrades.keys_of(row))
            for upgrade, row in zip(prunable, rows, strict=True)
        )
