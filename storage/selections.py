"""Which instances does a selection mean now, before anything is written?"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.cohort import Cohort, CountedCohort
from domain.instance import Instance
from domain.paging import Page, PageRequest, page_of
from domain.ports import SelectedCohorts
from domain.selection import ByIds, Selection
from storage.cohorts import cohorts_of
from storage.given import GIVEN, given
from storage.identities import Identities, parts
from storage.instances import INSTANCES, instances_of
from storage.tables import IS_ACTIVE, instance

IS_GIVEN = instance.c.uuid.in_(select(GIVEN.c.uuid))


async def selected_cohorts(
    connection: AsyncConnection, identities: Identities, process_id: int, selection: Selection
) -> SelectedCohorts:
    """The instances of a selection, counted by cohort."""
    cohort = (instance.c.version, instance.c.status, instance.c.position_id)
    counted = (
        select(*cohort, func.count().label("instances"))
        .where(instance.c.process_id == process_id, _is_selected(selection))
        .group_by(*cohort)
        .order_by(instance.c.version, instance.c.status, func.count().desc(), instance.c.position_id)
    )
    rows = (await connection.execute(counted, given(_ids(selection)))).all()
    cohorts = zip(rows, await cohorts_of(identities, rows), strict=True)
    found = sum(row.instances for row in rows)
    return SelectedCohorts(
        cohorts=tuple(CountedCohort(cohort=cohort, count=row.instances) for row, cohort in cohorts),
        not_found=len(selection.ids) - found if isinstance(selection, ByIds) else 0,
        excluded=await _excluded(connection, process_id, selection),
    )


async def count_active(connection: AsyncConnection, process_id: int) -> int:
    """How many instances of a process have not ended."""
    counted = select(func.count()).where(instance.c.process_id == process_id, IS_ACTIVE)
    active: int = (await connection.execute(counted)).scalar_one()
    return active


async def cohort_pages(
    connection: AsyncConnection,
    identities: Identities,
    process_id: int,
    selection: Selection,
    cohorts: Sequence[Cohort],
    page: PageRequest,
) -> Mapping[Cohort, Page[Instance]]:
    """The instances of a selection in each cohort, a page of each."""
    numbers = await identities.known_position_ids(process_id, {one.position for one in cohorts})
    listed: dict[Cohort, list[tuple[int, Instance]]] = defaultdict(list)
    known = [one for one in cohorts if one.position in numbers]
    for part in parts(known):
        listings = [
            select(_listing(process_id, selection, one, numbers[one.position], page).subquery())
            for one in part
        ]
        rows = (await connection.execute(union_all(*listings), given(_ids(selection)))).all()
        for row, found in zip(rows, await instances_of(identities, rows), strict=True):
            cohort = Cohort(version=found.version, status=found.status, position=found.position)
            listed[cohort].append((row.id, found))
    return {cohort: page_of(listed[cohort], page.first) for cohort in cohorts}


def _listing(
    process_id: int, selection: Selection, cohort: Cohort, position_id: int, page: PageRequest
) -> Select[Any]:
    return (
        INSTANCES.where(
            instance.c.process_id == process_id,
            _is_selected(selection),
            instance.c.version == cohort.version,
            instance.c.status == cohort.status,
            instance.c.position_id == position_id,
            instance.c.id > (page.after or 0),
        )
        .order_by(instance.c.id)
        .limit(page.first + 1)
    )


def _is_selected(selection: Selection) -> ColumnElement[bool]:
    return IS_GIVEN if isinstance(selection, ByIds) else IS_ACTIVE & ~IS_GIVEN


def _ids(selection: Selection) -> Sequence[Any]:
    return selection.ids if isinstance(selection, ByIds) else selection.excluded


async def _excluded(connection: AsyncConnection, process_id: int, selection: Selection) -> int:
    if isinstance(selection, ByIds) or not selection.excluded:
        return 0
    counted = select(func.count()).where(instance.c.process_id == process_id, IS_ACTIVE, IS_GIVEN)
    excluded: int = (await connection.execute(counted, given(selection.excluded))).scalar_one()
    return excluded
