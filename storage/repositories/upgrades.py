"""Stores upgrades, their outcomes and idempotency keys."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy import bindparam, cast, delete, func, or_, select

from uplift.domain.model.access import Namespaces
from uplift.domain.model.decision import CountedDecision
from uplift.domain.model.idempotency import KEPT_FOR, IdempotencyKey, KnownRequest
from uplift.domain.model.link import LinkId
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import SelectionKind, UpgradeId, UpgradeSelection
from uplift.domain.model.upgrade import (
    RATED_FROM,
    RATED_UPGRADES,
    UNFINISHED,
    Outcome,
    Partition,
    Upgrade,
    UpgradeProgress,
)
from uplift.domain.model.upgrade_event import UpgradeEvent
from uplift.domain.ports import ANY_UPGRADE, LockedPartition, LockedUpgrade, OutcomeFilter, UpgradeFilter
from uplift.storage.repositories.partitions import SqlLockedPartition
from uplift.storage.repositories.sessions import Reading, Session
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.dialect import lock_subject, upsert
from uplift.storage.sql.surrogate_keys import UpgradeHead
from uplift.storage.sql.tables import decision, partition, process, request, upgrade
from uplift.storage.sql.types import LONG
from uplift.storage.sql.upgrade_keys import UpgradeKeys
from uplift.storage.sqlite.prepared import RUN_IN_THREAD, RUN_INLINE
from uplift.storage.statements.outcomes import outcomes
from uplift.storage.statements.outcomes.bucket_totals import in_layout
from uplift.storage.statements.outcomes.decisions import decisions_of
from uplift.storage.statements.outcomes.tallies import AFTER_ALL, SKIPPED
from uplift.storage.statements.upgrades import (
    partitions,
    pruning,
    selecting,
    unfinished,
    upgrade_events,
    upgrade_lists,
    upgrades,
)
from uplift.storage.statements.upgrades.upgrades import UPGRADES

NO_TIME = timedelta()
FEW = 10
"""SQLite executes statements on so few instances faster on the event loop than in a thread."""

other = upgrade.alias("other")

UPGRADES_BY_UUID = UPGRADES.where(upgrade.c.uuid.in_(bindparam("uuids", expanding=True)))
LATEST_UPGRADES = UPGRADES.where(
    upgrade.c.id.in_(
        select(
            select(func.max(other.c.id)).where(other.c.process_id == process.c.id).scalar_subquery()
        ).where(process.c.id.in_(bindparam("ids", expanding=True)))
    )
)
"""Looks up the end of each process in the index, however many upgrades it has."""

NEWER = upgrade.alias("newer")
OF_EARLIER = NEWER.c.of_upgrade_id.in_(
    select(other.c.id).where(other.c.uuid.in_(bindparam("uuids", expanding=True)))
)
FOLLOWING = (
    select(
        NEWER.c.id,
        func.row_number().over(partition_by=NEWER.c.of_upgrade_id, order_by=NEWER.c.id.desc()).label("place"),
    )
    .where(OF_EARLIER, NEWER.c.selection == bindparam("kind"), NEWER.c.id < bindparam("before", type_=LONG))
    .subquery("following")
)
FOLLOWING_UPGRADES = (
    UPGRADES.join(FOLLOWING, FOLLOWING.c.id == upgrade.c.id)
    .where(FOLLOWING.c.place <= bindparam("limit"))
    .order_by(upgrade.c.id.desc())
)
"""The newest retries or undos of each of some upgrades, by an index on `of_upgrade_id`."""
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
IN_PARTITIONS = (
    select(
        partition.c.upgrade_id,
        func.sum(partition.c.upgraded + partition.c.skipped).label("outcomes"),
        cast(func.sum(partition.c.worked), partition.c.worked.type).label("worked"),
    )
    .group_by(partition.c.upgrade_id)
    .subquery("in_partitions")
)
"""What all partitions count, read once: a look for each of the latest upgrades would take longer."""
LATEST = (
    select(
        upgrade.c.id,
        upgrade.c.link,
        (upgrade.c.upgraded + upgrade.c.skipped + func.coalesce(IN_PARTITIONS.c.outcomes, 0)).label("total"),
        upgrade.c.worked,
        IN_PARTITIONS.c.worked.label("more_worked"),
    )
    .outerjoin(IN_PARTITIONS, IN_PARTITIONS.c.upgrade_id == upgrade.c.id)
    .order_by(upgrade.c.id.desc())
    .limit(upgrade_lists.LOOKED_AT)
    .subquery("latest")
)
"""The latest upgrades of any size: large ones may be rare."""
LATEST_LARGE = (
    select(LATEST.c.total, LATEST.c.worked, LATEST.c.more_worked)
    .where(LATEST.c.total >= RATED_FROM)
    .order_by(LATEST.c.id.desc())
    .limit(RATED_UPGRADES)
)
RATED = LATEST_LARGE.where(LATEST.c.link.is_(None))
RATED_OF_LINK = LATEST_LARGE.where(LATEST.c.link == bindparam("link"))
SKIPS = (
    select(
        upgrade.c.uuid,
        *(column for column in decision.c if column.key != "instances"),
        SKIPPED.label("instances"),
    )
    .join_from(upgrade, decision, decision.c.upgrade_id == upgrade.c.id)
    .where(upgrade.c.uuid.in_(bindparam("uuids", expanding=True)), decision.c.to_position_id.is_(None))
    .order_by(decision.c.upgrade_id, decision.c.version, decision.c.status, decision.c.position_id)
)
KNOWN_REQUEST = (
    select(request.c.digest, upgrade.c.uuid)
    .join(upgrade, upgrade.c.id == request.c.upgrade_id)
    .where(
        request.c.caller == bindparam("caller"),
        request.c.key == bindparam("key"),
        request.c.requested_at >= bindparam("since"),
    )
    .execution_options(**RUN_INLINE)
)
REMEMBER = upsert(request, keys=("caller", "key"), replaced=("digest", "upgrade_id", "requested_at"))
DELETE_OLD_REQUESTS = (
    delete(request).where(request.c.requested_at < bindparam("before")).execution_options(**RUN_IN_THREAD)
)


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
        connection = self._session.connection
        await connection.execute(DELETE_OLD_REQUESTS, {"before": at - KEPT_FOR})
        values = {
            "caller": idempotency_key.caller,
            "key": idempotency_key.key,
            "digest": idempotency_key.digest,
            "upgrade_id": self._upgrade_keys.id,
            "requested_at": at,
        }
        await connection.execute(REMEMBER, values)

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
            rows = (
                await connection.execute(in_layout(connection, UPGRADES_BY_UUID), {"uuids": list(ids)})
            ).all()
            return {found.id: found for found in await upgrades.upgrades_of(surrogate_keys, rows)}

    async def page(
        self,
        process_key: ProcessKey | None,
        page: PageRequest,
        upgrade_filter: UpgradeFilter = ANY_UPGRADE,
        *,
        namespaces: Namespaces | None = None,
    ) -> Page[Upgrade]:
        async with self._reading() as (connection, surrogate_keys):
            process_id = None if process_key is None else await surrogate_keys.process_id(process_key)
            if process_key is not None and process_id is None:
                return page_of((), page.first)
            listed = upgrade_lists.UpgradeList(process_id, upgrade_filter, namespaces)
            return await upgrade_lists.page(connection, surrogate_keys, listed, page)

    async def count(
        self,
        process_key: ProcessKey | None,
        upgrade_filter: UpgradeFilter = ANY_UPGRADE,
        *,
        namespaces: Namespaces | None = None,
    ) -> int | None:
        async with self._reading() as (connection, surrogate_keys):
            process_id = None if process_key is None else await surrogate_keys.process_id(process_key)
            if process_key is not None and process_id is None:
                return 0
            listed = upgrade_lists.UpgradeList(process_id, upgrade_filter, namespaces)
            return await upgrade_lists.count(connection, listed)

    async def latest(self, process_keys: Sequence[ProcessKey]) -> Mapping[ProcessKey, Upgrade]:
        async with self._reading() as (connection, surrogate_keys):
            ids = await surrogate_keys.process_ids(process_keys)
            rows = (
                await connection.execute(in_layout(connection, LATEST_UPGRADES), {"ids": list(ids.values())})
            ).all()
            return {found.process: found for found in await upgrades.upgrades_of(surrogate_keys, rows)}

    async def unfinished(
        self, limit: int, *, namespaces: Namespaces | None = None
    ) -> tuple[UpgradeProgress, ...]:
        async with self._reading() as (connection, surrogate_keys):
            return await unfinished.unfinished(connection, surrogate_keys, limit, namespaces)

    async def following_pages(
        self, ids: Sequence[UpgradeId], kind: SelectionKind, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Upgrade]]:
        bound = {
            "uuids": list(ids),
            "kind": kind,
            "before": AFTER_ALL if page.after is None else page.after,
            "limit": page.first + 1,
        }
        async with self._reading() as (connection, surrogate_keys):
            rows = (await connection.execute(in_layout(connection, FOLLOWING_UPGRADES), bound)).all()
            found = await upgrades.upgrades_of(surrogate_keys, rows)
        following: dict[UpgradeId, list[tuple[int, Upgrade]]] = defaultdict(list)
        for row, found_upgrade in zip(rows, found, strict=True):
            following[UpgradeId(row.of_uuid)].append((row.id, found_upgrade))
        return {upgrade_id: page_of(following[upgrade_id], page.first) for upgrade_id in ids}

    async def claimable(
        self, now: datetime, *, only: UpgradeId | None = None, passing_over: Collection[UpgradeId] = ()
    ) -> Upgrade | None:
        async with self._reading() as (connection, surrogate_keys):
            return await partitions.find_claimable(connection, surrogate_keys, now, only, passing_over)

    async def known_request(self, idempotency_key: IdempotencyKey, *, since: datetime) -> KnownRequest | None:
        async with self._reading() as (connection, _):
            return await _find_request(connection, idempotency_key, since)

    async def measured_rate(self, link: LinkId | None = None) -> float | None:
        async with self._reading() as (connection, _):
            rated = RATED if link is None else RATED_OF_LINK
            rows = (await connection.execute(rated, {"link": link})).all()
        seconds = sum((row.worked + (row.more_worked or NO_TIME)).total_seconds() for row in rows)
        return sum(row.total for row in rows) / seconds if seconds else None

    async def outcome_pages(
        self, ids: Sequence[UpgradeId], outcome_filter: OutcomeFilter, page: PageRequest
    ) -> Mapping[UpgradeId, Page[Outcome]]:
        async with self._reading() as (connection, surrogate_keys):
            return await outcomes.outcome_pages(connection, surrogate_keys, ids, outcome_filter, page)

    async def skip_decisions(
        self, ids: Sequence[UpgradeId]
    ) -> Mapping[UpgradeId, tuple[CountedDecision, ...]]:
        async with self._reading() as (connection, surrogate_keys):
            rows = (await connection.execute(SKIPS, {"uuids": list(ids)})).all()
            decisions = await decisions_of(surrogate_keys, rows)
        skips: dict[UpgradeId, list[CountedDecision]] = defaultdict(list)
        for row, decided in zip(rows, decisions, strict=True):
            skips[row.uuid].append(CountedDecision(decision=decided, count=row.instances))
        return {upgrade_id: tuple(skips[upgrade_id]) for upgrade_id in ids}

    async def operator_events(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, tuple[UpgradeEvent, ...]]:
        async with self._reading() as (connection, _):
            return await upgrade_events.operator_events(connection, ids)


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
        added, upgrade_keys = await selecting.add_upgrade(session.connection, process_id, upgrade, selection)
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
        return await _find_request(connection, idempotency_key, since)

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


async def _find_request(
    connection: Connection, idempotency_key: IdempotencyKey, since: datetime
) -> KnownRequest | None:
    bound = {"caller": idempotency_key.caller, "key": idempotency_key.key, "since": since}
    row = (await connection.execute(KNOWN_REQUEST, bound)).one_or_none()
    return None if row is None else KnownRequest(digest=row.digest, upgrade_id=UpgradeId(row.uuid))
