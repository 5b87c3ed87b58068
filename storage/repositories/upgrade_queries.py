"""Reads upgrades, their outcomes and their events."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, cast, func, select

from uplift.domain.model.access import Namespaces
from uplift.domain.model.decision import CountedDecision
from uplift.domain.model.idempotency import IdempotencyKey, KnownRequest
from uplift.domain.model.link import LinkId
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import SelectionKind, UpgradeId
from uplift.domain.model.upgrade import RATED_FROM, RATED_UPGRADES, Outcome, Upgrade, UpgradeProgress
from uplift.domain.model.upgrade_event import UpgradeEvent
from uplift.domain.ports import ANY_UPGRADE, OutcomeFilter, UpgradeFilter
from uplift.storage.repositories.sessions import Reading
from uplift.storage.sql.tables import decision, partition, process, upgrade
from uplift.storage.sql.types import LONG
from uplift.storage.statements.outcomes import outcomes
from uplift.storage.statements.outcomes.bucket_totals import in_layout
from uplift.storage.statements.outcomes.decisions import decisions_of
from uplift.storage.statements.outcomes.tallies import AFTER_ALL, SKIPPED
from uplift.storage.statements.upgrades import (
    known_requests,
    partitions,
    unfinished,
    upgrade_events,
    upgrade_lists,
    upgrades,
)
from uplift.storage.statements.upgrades.upgrades import UPGRADES

NO_TIME = timedelta()

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
    # Conditions instead of `join`: `in_layout` replaces the columns, and after a join SQLAlchemy keeps those
    # that it replaces in the statement, where the rule for buckets finds the tables of the totals.
    UPGRADES.where(FOLLOWING.c.id == upgrade.c.id, FOLLOWING.c.place <= bindparam("limit")).order_by(
        upgrade.c.id.desc()
    )
)
"""The newest retries or undos of each of some upgrades, by an index on `of_upgrade_id`."""
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
            return await known_requests.find_request(connection, idempotency_key, since)

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
