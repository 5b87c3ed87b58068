"""Stores upgrades, whose partitions and outcomes lie in buckets."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import ARRAY, Integer, any_, bindparam, or_, select

from uplift.domain.model.access import Namespaces
from uplift.domain.model.decision import CountedDecision
from uplift.domain.model.link import LinkId
from uplift.domain.model.selection import UpgradeId, UpgradeSelection
from uplift.domain.model.upgrade import (
    RATED_FROM,
    RATED_UPGRADES,
    Partition,
    Upgrade,
    UpgradeProgress,
    UpgradeState,
)
from uplift.storage.in_buckets import new_upgrades, partition_statements, pruning
from uplift.storage.in_buckets.partitions import LockedPartitionInBucket
from uplift.storage.in_buckets.sessions import BucketSession
from uplift.storage.repositories.upgrade_queries import SqlUpgradeQueries
from uplift.storage.repositories.upgrades import SqlLockedUpgrade, SqlUpgradeRepository
from uplift.storage.sql.dialect import lock_subject
from uplift.storage.sql.tables import decision, upgrade
from uplift.storage.statements.outcomes.bucket_totals import SUMS_OF_ALL, with_skips, with_totals
from uplift.storage.statements.outcomes.decisions import decisions_of
from uplift.storage.statements.outcomes.tallies import COUNTS
from uplift.storage.statements.upgrades import upgrade_lists, upgrades
from uplift.storage.statements.upgrades.unfinished import LOOKED_AT, newest

UNFINISHED = select(newest(bindparam("limit"), within_namespaces=False))
UNFINISHED_WITHIN = select(newest(LOOKED_AT, within_namespaces=True))
SKIPS = (
    select(upgrade.c.uuid, *decision.c)
    .join_from(upgrade, decision, decision.c.upgrade_id == upgrade.c.id)
    .where(upgrade.c.uuid.in_(bindparam("uuids", expanding=True)), decision.c.to_position_id.is_(None))
    .order_by(decision.c.upgrade_id, decision.c.version, decision.c.status, decision.c.position_id)
)
LATEST = (
    select(upgrade.c.id, *(upgrade.c[name] for name in COUNTS))
    .order_by(upgrade.c.id.desc())
    .limit(upgrade_lists.LOOKED_AT)
    .subquery("latest")
)
IS_COUNTING = LATEST.c.id == any_(bindparam("counting", type_=ARRAY(Integer)))
LATEST_LARGE = (
    select(LATEST)
    .where(or_(LATEST.c.upgraded + LATEST.c.skipped >= RATED_FROM, IS_COUNTING))
    .order_by(LATEST.c.id.desc())
)
"""The latest upgrades that are large without their partitions, and those whose partitions count."""
CLAIMABLE = (UpgradeState.QUEUED, UpgradeState.RUNNING)


class BucketLockedUpgrade(SqlLockedUpgrade):
    """Implements uplift.domain.ports.LockedUpgrade."""

    _session: BucketSession

    async def remaining(self) -> tuple[Partition, ...]:
        rows = await partition_statements.partitions_of(self._session.connection, [self._upgrade_keys.id])
        return tuple(partition_statements.partition_in(row, self.upgrade.id) for row in rows)

    async def _stop_partitions(self) -> None:
        await partition_statements.stop_partitions(self._session.connection, self._upgrade_keys)

    async def prune_outcomes(self, limit: int) -> int:
        return await pruning.prune_outcomes(self._session.connection, self._upgrade_keys, self.upgrade, limit)


class BucketUpgradeQueries(SqlUpgradeQueries):
    """Implements uplift.domain.ports.UpgradeQueries."""

    async def unfinished(
        self, limit: int, *, namespaces: Namespaces | None = None
    ) -> tuple[UpgradeProgress, ...]:
        bound = {"limit": limit, "namespaces": sorted(namespaces or ())}
        async with self._reading() as (connection, surrogate_keys):
            statement = UNFINISHED if namespaces is None else UNFINISHED_WITHIN
            rows = await with_totals(connection, (await connection.execute(statement, bound)).all())
            process_keys = await surrogate_keys.process_keys(row.process_id for row in rows)
        return tuple(
            UpgradeProgress(
                id=UpgradeId(row.uuid),
                process=process_keys[row.process_id],
                state=row.state,
                total=row.upgraded + row.skipped,
                ordered=row.ordered,
                sent=row.sent,
            )
            for row in sorted(rows, key=lambda row: -row.id)
        )

    async def claimable(
        self, now: datetime, *, only: UpgradeId | None = None, passing_over: Collection[UpgradeId] = ()
    ) -> Upgrade | None:
        async with self._reading() as (connection, surrogate_keys):
            uuid = await partition_statements.find_claimable(connection, now, only, passing_over)
            found = None if uuid is None else await upgrades.find_upgrade(connection, surrogate_keys, uuid)
            return None if found is None else found[0]

    async def measured_rate(self, link: LinkId | None = None) -> float | None:
        if link is not None:
            return None  # a database with buckets has no links
        async with self._reading() as (connection, _):
            sums = {row.upgrade_id: row for row in await connection.execute(SUMS_OF_ALL)}
            rows = (await connection.execute(LATEST_LARGE, {"counting": list(sums)})).all()
        done: list[tuple[int, timedelta]] = []
        for row in rows:
            more = sums.get(row.id)
            outcomes = row.upgraded + row.skipped + (0 if more is None else more.upgraded + more.skipped)
            done.append((outcomes, row.worked + (timedelta() if more is None else more.worked)))
        large = [(outcomes, worked) for outcomes, worked in done if outcomes >= RATED_FROM][:RATED_UPGRADES]
        seconds = sum(worked.total_seconds() for _, worked in large)
        return sum(outcomes for outcomes, _ in large) / seconds if seconds else None

    async def skip_decisions(
        self, ids: Sequence[UpgradeId]
    ) -> Mapping[UpgradeId, tuple[CountedDecision, ...]]:
        async with self._reading() as (connection, surrogate_keys):
            rows = await with_skips(connection, SKIPS, {"uuids": list(ids)})
            decisions = await decisions_of(surrogate_keys, rows)
        skips: dict[UpgradeId, list[CountedDecision]] = defaultdict(list)
        for row, decided in zip(rows, decisions, strict=True):
            skips[row.uuid].append(CountedDecision(decision=decided, count=row.instances))
        return {upgrade_id: tuple(skips[upgrade_id]) for upgrade_id in ids}


class BucketUpgradeRepository(SqlUpgradeRepository):
    """Implements uplift.domain.ports.UpgradeRepository."""

    _locked: ClassVar[type[SqlLockedUpgrade]] = BucketLockedUpgrade
    _session: BucketSession

    async def add(
        self, upgrade: Upgrade, selection: UpgradeSelection
    ) -> tuple[BucketLockedUpgrade, tuple[LockedPartitionInBucket, ...]]:
        session = self._session
        process_id = await session.process_id(upgrade.process)
        added, upgrade_keys = await new_upgrades.add_upgrade(
            session.connection, process_id, upgrade, selection
        )
        session.added.add(added.id)
        session.changed[added.id] = added
        whole = await new_upgrades.whole_partitions(session.connection, upgrade_keys, added, selection)
        return (
            BucketLockedUpgrade(session, added, upgrade_keys),
            tuple(
                LockedPartitionInBucket(session, added, upgrade_keys, partition, is_stored=False)
                for partition in whole
            ),
        )

    async def lock_claimable(
        self, upgrade_id: UpgradeId, now: datetime
    ) -> tuple[BucketLockedUpgrade, LockedPartitionInBucket] | None:
        session = self._session
        locked = await upgrades.lock_upgrade(session.connection, session.surrogate_keys, upgrade_id)
        if locked is None or locked[0].state not in CLAIMABLE:
            return None
        upgrade, upgrade_keys = locked
        # Keeps two transactions from claiming partitions of two upgrades of one process.
        await lock_subject(session.connection, "claim", str(upgrade_keys.process_id))
        partition = await partition_statements.lock_free(session.connection, upgrade_keys, upgrade_id, now)
        if partition is None:
            return None
        return (
            BucketLockedUpgrade(session, upgrade, upgrade_keys),
            LockedPartitionInBucket(session, upgrade, upgrade_keys, partition),
        )
