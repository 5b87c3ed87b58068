"""Reads the instances that a selection includes now."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, select, tuple_

from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.instance import Instance, Status
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.selection import Selection, SelectionKind
from uplift.domain.ports import SelectedCohorts
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.surrogate_keys import SurrogateKeys, batches
from uplift.storage.sql.tables import IS_ACTIVE, instance
from uplift.storage.statements.cohorts import cohorts_of
from uplift.storage.statements.instances import INSTANCES, instances_of

IS_LISTED = instance.c.uuid.in_(select(ID_LIST.c.uuid))
LAST = select(func.max(instance.c.id)).where(instance.c.process_id == bindparam("process_id"))

FIRST_SPAN = 20_000
"""Instance keys that the first statement for a page of cohorts scans. Each next one scans 8 times as many.

The page of a large cohort is full early. All small cohorts together cost one pass over the process.
"""


async def selected_cohorts(
    connection: Connection, surrogate_keys: SurrogateKeys, process_id: int, selection: Selection
) -> SelectedCohorts:
    """The instances of a selection, counted by cohort."""
    cohort = (instance.c.version, instance.c.status, instance.c.position_id)
    counted = (
        select(*cohort, func.count().label("instances"))
        .where(_is_selected(selection, process_id))
        .group_by(*cohort)
        .order_by(instance.c.version, instance.c.status, func.count().desc(), instance.c.position_id)
    )
    rows = (await connection.execute(counted, bind_ids(selection.named_ids))).all()
    cohorts = zip(rows, await cohorts_of(surrogate_keys, rows), strict=True)
    found = sum(row.instances for row in rows)
    return SelectedCohorts(
        cohorts=tuple(CountedCohort(cohort=cohort, count=row.instances) for row, cohort in cohorts),
        not_found=0 if selection.size is None else selection.size - found,
        excluded=await _excluded(connection, process_id, selection),
    )


async def count_active(connection: Connection, process_id: int) -> int:
    """How many instances of a process have not ended."""
    counted = select(func.count()).where(instance.c.process_id == process_id, IS_ACTIVE)
    active: int = (await connection.execute(counted)).scalar_one()
    return active


async def cohort_pages(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    process_id: int,
    selection: Selection,
    cohorts: Sequence[Cohort],
    page: PageRequest,
) -> Mapping[Cohort, Page[Instance]]:
    """The instances of a selection in each cohort, a page of each."""
    position_ids = await surrogate_keys.known_position_ids(
        process_id, {cohort.position for cohort in cohorts}
    )
    listed: dict[Cohort, list[tuple[int, Instance]]] = defaultdict(list)
    last = (await connection.execute(LAST, {"process_id": process_id})).scalar_one() or 0
    bound = bind_ids(selection.named_ids)
    begin, span = page.after or 0, FIRST_SPAN if selection.size is None else last
    while begin < last:
        incomplete = [
            cohort
            for cohort in cohorts
            if cohort.position in position_ids and len(listed[cohort]) <= page.first
        ]
        for batch in batches(incomplete):
            cohort_keys = [(cohort.version, cohort.status, position_ids[cohort.position]) for cohort in batch]
            listing = _listing(process_id, selection, cohort_keys, page.first)
            rows = (await connection.execute(listing, {**bound, "begin": begin, "end": begin + span})).all()
            members = zip(
                await cohorts_of(surrogate_keys, rows),
                rows,
                await instances_of(surrogate_keys, rows),
                strict=True,
            )
            for cohort, row, member in members:
                listed[cohort].append((row.id, member))
        begin, span = begin + span, span * 8
    return {cohort: page_of(listed[cohort], page.first) for cohort in cohorts}


def _listing(
    process_id: int, selection: Selection, cohort_keys: Sequence[tuple[int, Status, int]], first: int
) -> Select[Any]:
    cohort = (instance.c.version, instance.c.status, instance.c.position_id)
    place = func.row_number().over(partition_by=cohort, order_by=instance.c.id).label("place")
    placed = (
        INSTANCES.add_columns(place)
        .where(
            _is_selected(selection, process_id),
            instance.c.id > bindparam("begin"),
            instance.c.id <= bindparam("end"),
            tuple_(*cohort).in_(cohort_keys),
        )
        .subquery()
    )
    return select(placed).where(placed.c.place <= first + 1).order_by(placed.c.id)


def _is_selected(selection: Selection, process_id: int) -> ColumnElement[bool]:
    if selection.kind is SelectionKind.BY_IDS:
        return _is_listed(process_id)
    active = (instance.c.process_id == process_id) & IS_ACTIVE
    return active & ~IS_LISTED if selection.named_ids else active


def _is_listed(process_id: int) -> ColumnElement[bool]:
    # `+ 0` keeps SQLite from the index on processes. It assumes that a process has few instances, and would
    # scan all of them to find a few ids.
    return IS_LISTED & (instance.c.process_id + 0 == process_id)


async def _excluded(connection: Connection, process_id: int, selection: Selection) -> int:
    if selection.kind is SelectionKind.BY_IDS or not selection.named_ids:
        return 0
    counted = select(func.count()).where(_is_listed(process_id), IS_ACTIVE)
    excluded: int = (await connection.execute(counted, bind_ids(selection.named_ids))).scalar_one()
    return excluded
