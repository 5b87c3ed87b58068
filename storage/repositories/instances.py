"""Stores instances, and reads their cohorts and histories."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import select

from uplift.domain.concurrency import pieces
from uplift.domain.errors import StoreUnavailable
from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.instance import Instance, InstanceId, InstanceReport, Position
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import Selection
from uplift.domain.model.upgrade import HistoryEntry
from uplift.domain.ports import InstanceFilter, SelectedCohorts
from uplift.storage.repositories.sessions import Reading, Session
from uplift.storage.sql.dialect import UpdateMany, arrays
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.tables import decision, instance, move_order, outcome, upgrade
from uplift.storage.sqlite.prepared import RUN_INLINE
from uplift.storage.statements.instances import instance_lists, selections
from uplift.storage.statements.instances.cohort_counts import ADD_CHANGE, StoredCohort
from uplift.storage.statements.instances.cohorts import COHORTS, cohorts_of
from uplift.storage.statements.instances.instances import (
    INSERT_PIECE,
    INSTANCES,
    STATUS_CODES,
    insert_instances,
    instances_of,
    locking,
)
from uplift.storage.statements.outcomes.decisions import IS_DECISION_OF_OUTCOME
from uplift.storage.statements.outcomes.outcome_lists import (
    IS_ORDER_OF_OUTCOME,
    ORDER_COLUMNS,
    OUTCOME_COLUMNS,
)
from uplift.storage.statements.outcomes.outcomes import outcome_of, position_ids_in
from uplift.storage.statements.upgrades.pruning import prune_positions
from uplift.storage.statements.upgrades.upgrades import UPGRADE_COLUMNS, upgrades_of

INSTANCES_BY_UUID = INSTANCES.join(ID_LIST, ID_LIST.c.uuid == instance.c.uuid).order_by(ID_LIST.c.ordinal)
INLINE_LIMIT = 10
"""A statement for so few ids is faster on the event loop than in a thread."""
INSTANCES_BY_UUID_INLINE = INSTANCES_BY_UUID.execution_options(**RUN_INLINE)
LOCKED = locking(instance)
HISTORIES = (
    select(instance.c.uuid.label("uuid"), *UPGRADE_COLUMNS, *OUTCOME_COLUMNS, *ORDER_COLUMNS)
    .join_from(ID_LIST, instance, instance.c.uuid == ID_LIST.c.uuid)
    .join(
        upgrade,
        (upgrade.c.process_id == instance.c.process_id)
        & (upgrade.c.first_instance_id <= instance.c.id)
        & (upgrade.c.last_instance_id >= instance.c.id),
    )
    .join(outcome, (outcome.c.upgrade_id == upgrade.c.id) & (outcome.c.instance_id == instance.c.id))
    .join(decision, IS_DECISION_OF_OUTCOME)
    .outerjoin(move_order, upgrade.c.link.is_not(None) & IS_ORDER_OF_OUTCOME)
    .order_by(upgrade.c.id)
)
"""An upgrade stores the range of the instances in its outcomes. Most upgrades have a single outcome, so that
the range excludes most of them without a look at their outcomes."""
LOCK_PIECE = 5_000
"""The instances that one statement reads to lock them on SQLite."""
UPDATE = UpdateMany(instance, key="id", changed=("status", "position_id"))
Reported = Instance | InstanceReport
AnyReport = TypeVar("AnyReport", bound=Reported)
UPDATE_AND_COUNT = UPDATE.along_with(ADD_CHANGE)
StoredInstance = tuple[int, StoredCohort]
"""The surrogate key of an instance, and its cohort."""


class SqlInstanceQueries:
    """Implements uplift.domain.ports.InstanceQueries."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def find_many(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, Instance]:
        statement = INSTANCES_BY_UUID_INLINE if len(ids) <= INLINE_LIMIT else INSTANCES_BY_UUID
        async with self._reading() as (connection, surrogate_keys):
            rows = (await connection.execute(statement, bind_ids(ids))).all()
            return {found.id: found for found in await instances_of(surrogate_keys, rows)}

    async def pages(
        self, process_keys: Sequence[ProcessKey], instance_filter: InstanceFilter, page: PageRequest
    ) -> Mapping[ProcessKey, Page[Instance]]:
        async with self._reading() as (connection, surrogate_keys):
            return await instance_lists.pages(connection, surrogate_keys, process_keys, instance_filter, page)

    async def cohorts(
        self, process_keys: Sequence[ProcessKey]
    ) -> Mapping[ProcessKey, tuple[CountedCohort, ...]]:
        counted: dict[int, list[CountedCohort]] = defaultdict(list)
        async with self._reading() as (connection, surrogate_keys):
            ids = await surrogate_keys.process_ids(process_keys)
            rows = (await connection.execute(COHORTS, {"ids": list(ids.values())})).all()
            for row, cohort in zip(rows, await cohorts_of(surrogate_keys, rows), strict=True):
                counted[row.process_id].append(CountedCohort(cohort=cohort, count=row.instances))
        return {
            process_key: tuple(counted[ids[process_key]]) if process_key in ids else ()
            for process_key in process_keys
        }

    async def count_active(self, process_key: ProcessKey) -> int:
        async with self._reading() as (connection, surrogate_keys):
            process_id = await surrogate_keys.process_id(process_key)
            return 0 if process_id is None else await selections.count_active(connection, process_id)

    async def selected_cohorts(self, process_key: ProcessKey, selection: Selection) -> SelectedCohorts:
        async with self._reading() as (connection, surrogate_keys):
            process_id = await surrogate_keys.process_id(process_key)
            if process_id is None:
                return SelectedCohorts(cohorts=(), not_found=selection.size or 0, excluded=0)
            return await selections.selected_cohorts(connection, surrogate_keys, process_id, selection)

    async def cohort_pages(
        self, process_key: ProcessKey, selection: Selection, cohorts: Sequence[Cohort], page: PageRequest
    ) -> Mapping[Cohort, Page[Instance]]:
        async with self._reading() as (connection, surrogate_keys):
            process_id = await surrogate_keys.process_id(process_key)
            if process_id is None:
                return {cohort: page_of((), page.first) for cohort in cohorts}
            return await selections.cohort_pages(
                connection, surrogate_keys, process_id, selection, cohorts, page
            )

    async def histories(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, tuple[HistoryEntry, ...]]:
        entries: dict[InstanceId, list[HistoryEntry]] = defaultdict(list)
        async with self._reading() as (connection, surrogate_keys):
            rows = (await connection.execute(HISTORIES, bind_ids(list(dict.fromkeys(ids))))).all()
            positions = await surrogate_keys.positions(position_ids_in(rows))
            for row, upgraded in zip(rows, await upgrades_of(surrogate_keys, rows), strict=True):
                entry = HistoryEntry(upgrade=upgraded, outcome=outcome_of(row, positions))
                entries[InstanceId(row.uuid)].append(entry)
        return {instance_id: tuple(entries[instance_id]) for instance_id in ids}


class SqlInstanceRepository:
    """Implements uplift.domain.ports.InstanceRepository."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._locked: Sequence[InstanceId] = ()
        self._stored: Sequence[StoredInstance | None] = ()
        """What is stored of the instances that this transaction has locked last, in their order."""

    async def lock(self, ids: Sequence[InstanceId]) -> Mapping[InstanceId, ProcessKey]:
        connection = self._session.connection
        stored: list[StoredInstance | None] = [None] * len(ids)
        owners: dict[InstanceId, ProcessKey] = {}
        distinct: dict[StoredCohort, StoredCohort] = {}  # thousands of instances share a cohort
        # SQLite locks the whole file, so the order of the instances does not matter there, and fewer rows are
        # in memory at the same time.
        size = LOCK_PIECE if connection.dialect.name == "sqlite" else max(1, len(ids))
        async for start, locked in pieces(ids, size):
            rows = (await connection.execute(LOCKED, bind_ids(locked))).all()
            process_keys = await self._session.surrogate_keys.process_keys({row[2] for row in rows})
            async for _, piece in pieces(rows):
                for row in piece:
                    place, cohort = start + row[0] - 1, row[2:]
                    stored[place] = row[1], distinct.setdefault(cohort, cohort)
                    owners[ids[place]] = process_keys[row[2]]
        self._locked, self._stored = ids, stored
        return owners

    async def register(self, process_key: ProcessKey, new: Sequence[Instance]) -> None:
        process_id = await self._session.process_id(process_key)
        known = await self._locked_instances([registered.id for registered in new])
        position_ids = await self._session.surrogate_keys.position_ids(
            process_id, [registered.position for registered in new]
        )
        existing, absent = await _with_stored(new, known)
        if taken := await self._insert(process_id, absent, position_ids):
            # Another transaction has registered them since this one looked for them.
            known = await self._locked_instances([registered.id for registered in taken])
            existing += (await _with_stored(taken, known))[0]
        async for _, piece in pieces(existing):
            if any(cohort[0] != process_id for _, (_, cohort) in piece):
                raise StoreUnavailable("another process has got one of these instances just now")
        await self._update(existing, position_ids)

    async def report(self, process_key: ProcessKey, reports: Sequence[InstanceReport]) -> None:
        process_id = await self._session.process_id(process_key)
        known = await self._locked_instances([report.id for report in reports])
        position_ids = await self._session.surrogate_keys.position_ids(
            process_id, [report.position for report in reports]
        )
        existing, _ = await _with_stored(reports, known)
        await self._update(existing, position_ids)

    async def _locked_instances(self, ids: Sequence[InstanceId]) -> Sequence[StoredInstance | None]:
        """What is stored of these instances, which are locked from now on; None for one that does not exist.

        What was locked serves once, because the caller changes it.
        """
        # Usually these are the ids that were locked. Comparing lists is faster than hashing ids.
        if ids != self._locked:
            known = dict(zip(self._locked, self._stored, strict=True))
            if known.keys() >= set(ids):
                found = [known[instance_id] for instance_id in ids]
                for instance_id in ids:
                    known.pop(instance_id, None)
                self._locked, self._stored = list(known), list(known.values())
                return found
            await self.lock(ids)
        found, self._locked, self._stored = list(self._stored), (), ()
        return found

    async def _insert(
        self, process_id: int, absent: Sequence[Instance], position_ids: Mapping[Position, int]
    ) -> list[Instance]:
        """Insert instances. Returns those that another transaction has inserted."""
        session = self._session
        return await insert_instances(session.connection, session.counts, process_id, absent, position_ids)

    async def _update(
        self,
        reports: Sequence[tuple[Reported, StoredInstance]],
        position_ids: Mapping[Position, int],
    ) -> None:
        """Update the status and position of locked instances, but not their version."""
        # The keys of this dictionary keep only the last report on each instance.
        latest: dict[int, tuple[Reported, StoredInstance]] = {}
        async for _, piece in pieces(reports):
            latest.update((entry[1][0], entry) for entry in piece)
        async for _, piece in pieces(list(latest.values()), INSERT_PIECE):
            rows: list[dict[str, Any]] = []
            sources: list[StoredCohort] = []
            targets: list[StoredCohort] = []
            for report, (number, cohort) in piece:
                status, position_id = STATUS_CODES[report.status], position_ids[report.position]
                if cohort[2] != status or cohort[3] != position_id:
                    rows.append(
                        {"row_id": number, "row_status": report.status, "row_position_id": position_id}
                    )
                    sources.append(cohort)
                    targets.append((cohort[0], cohort[1], status, position_id))
            if rows:
                self._session.counts.remove(sources)
                self._session.counts.add(targets)
                await self._update_and_count(rows)

    async def _update_and_count(self, rows: Sequence[dict[str, Any]]) -> None:
        """Update instances, by a statement that adds to the kept counts as well where that is possible.

        A statement of its own for the counts would cost a fifth of a small report on PostgreSQL.
        """
        connection = self._session.connection
        change = self._session.counts.take(connection)
        if change is None:
            await UPDATE.execute(connection, rows)
        else:
            await connection.execute(UPDATE_AND_COUNT, {**arrays(rows), **change})

    async def prune_positions(self, limit: int) -> int:
        return await prune_positions(self._session.connection, limit)


async def _with_stored(
    reports: Sequence[AnyReport], known: Sequence[StoredInstance | None]
) -> tuple[list[tuple[AnyReport, StoredInstance]], list[AnyReport]]:
    """The reports on instances that exist, with what is stored of these, and those on all others."""
    existing: list[tuple[AnyReport, StoredInstance]] = []
    absent: list[AnyReport] = []
    async for start, piece in pieces(reports):
        for report, stored in zip(piece, known[start : start + len(piece)], strict=True):
            if stored is None:
                absent.append(report)
            else:
                existing.append((report, stored))
    return existing, absent
