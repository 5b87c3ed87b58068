"""Reads the instances that a selection includes now."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    tuple_,
    union_all,
)

from uplift.domain.model.cohort import Cohort, CountedCohort
from uplift.domain.model.conditions import Conditions
from uplift.domain.model.instance import Instance, Status
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.selection import Selection, SelectionKind
from uplift.domain.ports import SelectedCohorts
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.surrogate_keys import SurrogateKeys, batches
from uplift.storage.sql.tables import IS_ACTIVE, cohort_part, instance
from uplift.storage.statements.instances.cohorts import cohorts_of
from uplift.storage.statements.instances.conditions import IS_MATCHING, MEETS_CONDITIONS, bind_conditions
from uplift.storage.statements.instances.instances import INSTANCES, instances_of

PROCESS_ID: BindParameter[int] = bindparam("process_id", type_=Integer)
IS_LISTED = instance.c.uuid.in_(select(ID_LIST.c.uuid))
# `+ 0` keeps SQLite from the index on processes. It assumes that a process has few instances, and would scan
# all of them to find a few ids.
IS_LISTED_OF_PROCESS = IS_LISTED & (instance.c.process_id + 0 == PROCESS_ID)
LAST = select(func.max(instance.c.id)).where(instance.c.process_id == PROCESS_ID)
IS_KEPT_ACTIVE = (cohort_part.c.process_id == PROCESS_ID) & (cohort_part.c.status <= literal_column("2"))


def _counted(members: FromClause) -> Select[Any]:
    """Add up instances and exclusions by cohort: by version, then status, the largest cohort first."""
    cohort = (members.c.version, members.c.status, members.c.position_id)
    instances = func.sum(members.c.instances)
    return (
        select(*cohort, instances.label("instances"), func.sum(members.c.excluded).label("excluded"))
        .group_by(*cohort)
        .order_by(members.c.version, members.c.status, instances.desc(), members.c.position_id)
    )


def _members(instances: int, excluded: int, condition: ColumnElement[bool]) -> Select[Any]:
    """Each instance that meets the condition, as so many instances and exclusions of its cohort."""
    return select(
        instance.c.version,
        instance.c.status,
        instance.c.position_id,
        literal(instances, Integer).label("instances"),
        literal(excluded, Integer).label("excluded"),
    ).where(condition)


LISTED_COHORTS = _counted(_members(1, 0, IS_LISTED_OF_PROCESS).subquery("members"))
KEPT_ACTIVE = select(
    cohort_part.c.version,
    cohort_part.c.status,
    cohort_part.c.position_id,
    cohort_part.c.instances,
    literal(0, Integer).label("excluded"),
).where(IS_KEPT_ACTIVE)
ACTIVE_COHORTS = _counted(KEPT_ACTIVE.subquery("members"))
REMAINING_COHORTS = _counted(
    union_all(KEPT_ACTIVE, _members(-1, 1, IS_LISTED_OF_PROCESS & IS_ACTIVE)).subquery("members")
)
"""The kept counts without the excluded instances. One statement reads both, so they are of one moment."""
FIRST_MATCHING = (
    _members(1, 0, IS_MATCHING & ~IS_LISTED)
    .order_by(instance.c.id)
    .limit(bindparam("first"))
    .subquery("first")
)
FIRST_MATCHING_COHORTS = _counted(
    union_all(
        select(FIRST_MATCHING), _members(0, 1, IS_LISTED_OF_PROCESS & IS_ACTIVE & MEETS_CONDITIONS)
    ).subquery("members")
)
LAST_MATCHING = (
    select(instance.c.id)
    .where(IS_MATCHING, ~IS_LISTED)
    .order_by(instance.c.id)
    .offset(bindparam("before_last"))
    .limit(1)
)
"""The last one of the first instances that meet conditions."""
COUNT_ACTIVE = select(func.coalesce(func.sum(cohort_part.c.instances), 0)).where(IS_KEPT_ACTIVE)

FIRST_SPAN = 20_000
"""Instance keys that the first statement for a page of cohorts scans. Each next one scans 8 times as many.

The page of a large cohort is full early. All small cohorts together cost one pass over the process.
"""


async def selected_cohorts(
    connection: Connection, surrogate_keys: SurrogateKeys, process_id: int, selection: Selection
) -> SelectedCohorts:
    """The instances of a selection, counted by cohort."""
    bound: dict[str, Any] = {"process_id": process_id}
    conditions = selection.conditions
    if selection.kind is SelectionKind.BY_IDS:
        counted, bound = LISTED_COHORTS, bound | bind_ids(selection.named_ids)
    elif selection.named_ids:
        counted, bound = REMAINING_COHORTS, bound | bind_ids(selection.named_ids)
    else:
        counted = ACTIVE_COHORTS
    members = await _members_of(connection, surrogate_keys, counted, bound, conditions)
    limit = None if conditions is None else conditions.limit
    # Where no more instances meet the conditions than the limit allows, the kept counts are the answer.
    if conditions is not None and limit is not None and sum(row.instances for row, _ in members) > limit:
        bound |= bind_ids(selection.named_ids) | await bind_conditions(connection, process_id, conditions)
        bound |= {"first": limit}
        members = await _members_of(connection, surrogate_keys, FIRST_MATCHING_COHORTS, bound, conditions)
    return SelectedCohorts(
        cohorts=tuple(
            CountedCohort(cohort=cohort, count=row.instances) for row, cohort in members if row.instances
        ),
        not_found=0 if selection.size is None else selection.size - sum(row.instances for row, _ in members),
        excluded=sum(row.excluded for row, _ in members),
    )


async def _members_of(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    counted: Select[Any],
    bound: Mapping[str, Any],
    conditions: Conditions | None,
) -> list[tuple[Any, Cohort]]:
    """The rows of a statement that counts cohorts, each with its cohort, if that meets the conditions.

    Cohorts are few, so conditions on them cost nothing here.
    """
    rows = (await connection.execute(counted, dict(bound))).all()
    cohorts = await cohorts_of(surrogate_keys, rows)
    return [
        (row, cohort)
        for row, cohort in zip(rows, cohorts, strict=True)
        if conditions is None or conditions.are_met_by(cohort)
    ]


async def count_active(connection: Connection, process_id: int) -> int:
    """How many instances of a process have not ended."""
    active: int = (await connection.execute(COUNT_ACTIVE, {"process_id": process_id})).scalar_one()
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
    bound = {"process_id": process_id, **bind_ids(selection.named_ids)}
    if selection.conditions is not None and selection.conditions.limit is not None:
        conditions = await bind_conditions(connection, process_id, selection.conditions)
        limited = {**bound, **conditions, "before_last": selection.conditions.limit - 1}
        last = (await connection.execute(LAST_MATCHING, limited)).scalar_one_or_none() or last
    begin, span = page.after or 0, FIRST_SPAN if selection.size is None else last
    while begin < last:
        incomplete = [
            cohort
            for cohort in cohorts
            if cohort.position in position_ids and len(listed[cohort]) <= page.first
        ]
        for batch in batches(incomplete):
            cohort_keys = [(cohort.version, cohort.status, position_ids[cohort.position]) for cohort in batch]
            listing = _listing(selection, cohort_keys, page.first)
            span_of_rows = {"begin": begin, "end": min(begin + span, last)}
            rows = (await connection.execute(listing, {**bound, **span_of_rows})).all()
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


def _listing(selection: Selection, cohort_keys: Sequence[tuple[int, Status, int]], first: int) -> Select[Any]:
    cohort = (instance.c.version, instance.c.status, instance.c.position_id)
    place = func.row_number().over(partition_by=cohort, order_by=instance.c.id).label("place")
    placed = (
        INSTANCES.add_columns(place)
        .where(
            _is_selected(selection),
            instance.c.id > bindparam("begin"),
            instance.c.id <= bindparam("end"),
            tuple_(*cohort).in_(cohort_keys),
        )
        .subquery()
    )
    return select(placed).where(placed.c.place <= first + 1).order_by(placed.c.id)


def _is_selected(selection: Selection) -> ColumnElement[bool]:
    if selection.kind is SelectionKind.BY_IDS:
        return IS_LISTED_OF_PROCESS
    active = (instance.c.process_id == PROCESS_ID) & IS_ACTIVE
    return active & ~IS_LISTED if selection.named_ids else active
