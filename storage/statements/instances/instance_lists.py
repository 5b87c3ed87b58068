"""Lists the instances of processes.

No index has a column that an upgrade changes, so a filter looks at one instance after the other. To bound
this, a page of a filtered list may end early (see `bounded_search`).
The kept counts show in advance which positions contain an element, and whether the filter lets any instance
through.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, bindparam, literal, select, union_all

from uplift.domain.model.instance import ACTIVE, Instance
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.process import ProcessKey
from uplift.domain.ports import ANY_INSTANCE, InstanceFilter
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.id_list import ID_LIST, bind_ids
from uplift.storage.sql.surrogate_keys import MAX_BOUND, SurrogateKeys, batches
from uplift.storage.sql.tables import IS_ACTIVE, instance
from uplift.storage.sql.types import LONG
from uplift.storage.statements.bounded_search import Search, looks
from uplift.storage.statements.instances.cohorts import COHORTS, cohorts_of
from uplift.storage.statements.instances.instances import INSTANCES, instances_of

COUNTED = COHORTS.order_by(None)


@dataclass(slots=True)
class _Search(Search):
    """The search in a process. `position_ids` are the positions to find; None for all."""

    position_ids: Sequence[int] | None = None


async def pages(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    process_keys: Sequence[ProcessKey],
    instance_filter: InstanceFilter,
    page: PageRequest,
) -> Mapping[ProcessKey, Page[Instance]]:
    """The same page of the instances of each process."""
    ids = await surrogate_keys.process_ids(process_keys)
    searches = {process_id: _Search(process_id, page.after or 0) for process_id in ids.values()}
    if instance_filter == ANY_INSTANCE or instance_filter.ids is not None:
        if instance_filter.elements is not None:
            await _use_counts(connection, surrogate_keys, searches, instance_filter)
        incomplete = [search for search in searches.values() if not search.is_complete]
        await _find_rows(connection, incomplete, instance_filter, page, {})
    else:
        await _use_counts(connection, surrogate_keys, searches, instance_filter)
        incomplete = [search for search in searches.values() if not search.is_complete]
        for look in looks(len(incomplete)):
            incomplete = [search for search in incomplete if not search.is_complete]
            ends = await _ends(connection, incomplete, instance_filter, look)
            await _find_rows(connection, incomplete, instance_filter, page, ends)
    return {
        process_key: await _page(surrogate_keys, searches.get(ids.get(process_key, 0)), page)
        for process_key in process_keys
    }


async def _use_counts(
    connection: Connection,
    surrogate_keys: SurrogateKeys,
    searches: Mapping[int, _Search],
    instance_filter: InstanceFilter,
) -> None:
    """Complete the searches that no instance can meet, and learn which positions contain an element."""
    position_ids: dict[int, set[int]] = defaultdict(set)
    rows = (await connection.execute(COUNTED, {"ids": list(searches)})).all()
    for row, cohort in zip(rows, await cohorts_of(surrogate_keys, rows), strict=True):
        if instance_filter.shows_cohort(cohort):
            position_ids[row.process_id].add(row.position_id)
    for process_id, search in searches.items():
        search.is_complete = process_id not in position_ids
        if instance_filter.elements is not None:
            search.position_ids = sorted(position_ids[process_id])


async def _ends(
    connection: Connection, searches: Sequence[_Search], instance_filter: InstanceFilter, look: int
) -> Mapping[int, int | None]:
    """The last instance to look at in each process; None if fewer remain."""
    ends: dict[int, int | None] = {}
    for batch in batches(searches):
        seeks = [
            select(
                literal(search.list_id).label("process_id"),
                select(instance.c.id)
                .where(*_range(search, instance_filter))
                .order_by(instance.c.id)
                .limit(1)
                .offset(look - 1)
                .scalar_subquery()
                .label("end"),
            )
            for search in batch
        ]
        ends |= {row.process_id: row.end for row in await connection.execute(union_all(*seeks))}
    return ends


async def _find_rows(
    connection: Connection,
    searches: Sequence[_Search],
    instance_filter: InstanceFilter,
    page: PageRequest,
    ends: Mapping[int, int | None],
) -> None:
    bound = {} if instance_filter.ids is None else bind_ids(list(instance_filter.ids))
    by_process = {search.list_id: search for search in searches}
    for batch in batches(searches):
        listings = [
            select(_listing(search, instance_filter, page, ends.get(search.list_id)).subquery())
            for search in batch
        ]
        for row in (await connection.execute(union_all(*listings), bound)).all():
            by_process[row.process_id].rows.append(row)
    for search in searches:
        end = ends.get(search.list_id)
        search.is_complete = end is None or len(search.rows) > page.first
        search.begin = search.begin if end is None else end


def _range(search: _Search, instance_filter: InstanceFilter) -> list[ColumnElement[bool]]:
    """The instances of a process that remain to be looked at."""
    conditions = [instance.c.process_id == search.list_id, instance.c.id > literal(search.begin, LONG)]
    if instance_filter.statuses is not None and instance_filter.statuses <= set(ACTIVE):
        conditions.append(IS_ACTIVE)
    return conditions


def _listing(
    search: _Search, instance_filter: InstanceFilter, page: PageRequest, end: int | None
) -> Select[Any]:
    listing = INSTANCES.where(*_range(search, instance_filter))
    if instance_filter.ids is not None:
        # `+ 0` keeps SQLite from other indexes: it would look at a whole process to find a few ids.
        listing = INSTANCES.where(
            instance.c.process_id + 0 == search.list_id,
            instance.c.id + 0 > literal(search.begin, LONG),
            instance.c.uuid.in_(select(ID_LIST.c.uuid)),
        )
    if end is not None:
        listing = listing.where(instance.c.id <= literal(end, LONG))
    if instance_filter.statuses is not None:
        listing = listing.where(instance.c.status.in_(sorted(instance_filter.statuses)))
    if instance_filter.versions is not None:
        listing = listing.where(instance.c.version.in_(sorted(instance_filter.versions)))
    if search.position_ids is not None:
        # More values than a database can bind become part of the text.
        position_ids: BindParameter[Any] = bindparam(
            None,
            value=search.position_ids,
            expanding=True,
            literal_execute=len(search.position_ids) > MAX_BOUND,
        )
        listing = listing.where(instance.c.position_id.in_(position_ids))
    return listing.order_by(instance.c.id).limit(page.first + 1 - len(search.rows))


async def _page(surrogate_keys: SurrogateKeys, search: _Search | None, page: PageRequest) -> Page[Instance]:
    if search is None:
        return page_of((), page.first)
    rows = sorted(search.rows, key=itemgetter(0))  # UNION ALL does not keep the order of its SELECTs
    numbered = zip((row.id for row in rows), await instances_of(surrogate_keys, rows), strict=True)
    return search.page(list(numbered), page.first)
