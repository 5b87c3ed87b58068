"""Lists and counts processes."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, func, or_, select, tuple_

from uplift.domain.model.access import Namespaces
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.process import VersionState, folded, is_name
from uplift.domain.ports import ProcessFilter, ProcessOrder
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.tables import process, version
from uplift.storage.sql.types import LONG

LATEST_PUBLISHED = (
    select(func.max(version.c.number))
    .where(version.c.process_id == process.c.id, version.c.state == VersionState.PUBLISHED)
    .correlate(process)
    .scalar_subquery()
    .label("latest_published")
)
PROCESSES = select(
    process.c.id,
    process.c.namespace,
    process.c.code,
    process.c.title,
    process.c.created_at,
    process.c.link,
    LATEST_PUBLISHED,
)
COUNT = select(func.count()).select_from(process)
SORT_COLUMNS = {
    ProcessOrder.NAME: ("namespace", "code"),
    ProcessOrder.TITLE: ("folded_title", "id"),
}
"""The columns of an index each. They never change, so the row of a cursor is where the next page begins."""
AFTER = bindparam("after", type_=LONG)
ESCAPE = "\\"


async def page_rows(
    connection: Connection,
    page: PageRequest,
    process_filter: ProcessFilter,
    order: ProcessOrder,
    namespaces: Namespaces | None,
) -> Sequence[Any]:
    """The rows of a page and one more, if there is one, with the columns of PROCESSES."""
    bound = _bound(process_filter, namespaces)
    if bound is None:
        return []
    listing = _listing(order, tuple(bound), page.after is not None)
    bound |= {"after": page.after, "limit": page.first + 1}
    rows: Sequence[Any] = (await connection.execute(listing, bound)).all()
    return rows


async def count(connection: Connection, process_filter: ProcessFilter, namespaces: Namespaces | None) -> int:
    """The number of processes on all pages together."""
    bound = _bound(process_filter, namespaces)
    if bound is None:
        return 0
    counted: int = (await connection.execute(COUNT.where(*_conditions(tuple(bound))), bound)).scalar_one()
    return counted


def _bound(process_filter: ProcessFilter, namespaces: Namespaces | None) -> dict[str, Any] | None:
    """The parameters of the conditions that apply; None if no process can meet them."""
    bound: dict[str, Any] = {}
    if namespaces is not None:
        bound["namespaces"] = sorted(namespaces)
    # No title or name has other characters. Neither database takes a text with half of a surrogate pair, and
    # PostgreSQL none with a NUL.
    if process_filter.namespace is not None:
        if not is_name(process_filter.namespace):
            return None
        bound["namespace"] = process_filter.namespace
    if process_filter.search:
        if not process_filter.search.isprintable():
            return None
        bound["pattern"] = _pattern(folded(process_filter.search))
    return bound


def _pattern(search: str) -> str:
    for special in (ESCAPE, "%", "_"):
        search = search.replace(special, ESCAPE + special)
    return f"%{search}%"


CONDITIONS: Mapping[str, ColumnElement[bool]] = {
    "namespaces": process.c.namespace.in_(bindparam("namespaces", expanding=True)),
    "namespace": process.c.namespace == bindparam("namespace"),
    "pattern": or_(
        process.c.folded_title.like(bindparam("pattern"), escape=ESCAPE),
        process.c.folded_name.like(bindparam("pattern"), escape=ESCAPE),
    ),
}


def _conditions(names: Sequence[str]) -> list[ColumnElement[bool]]:
    return [CONDITIONS[name] for name in names]


@lru_cache(maxsize=64)
def _listing(order: ProcessOrder, names: tuple[str, ...], has_cursor: bool) -> Select[Any]:
    """The statement for a page. Building it takes longer than running it."""
    listing = PROCESSES.where(*_conditions(names)).limit(bindparam("limit"))
    if order is ProcessOrder.CREATED:
        listing = listing.order_by(process.c.id)
        return listing.where(process.c.id > AFTER) if has_cursor else listing
    listing = listing.order_by(*(process.c[name] for name in SORT_COLUMNS[order]))
    if not has_cursor:
        return listing
    # A cursor can be forged. One of a hidden process must not show where that process is in the order.
    previous = process.alias("previous")
    begin = select(*(previous.c[name] for name in SORT_COLUMNS[order])).where(previous.c.id == AFTER)
    if "namespaces" in names:
        begin = begin.where(previous.c.namespace.in_(bindparam("namespaces", expanding=True)))
    columns = tuple_(*(process.c[name] for name in SORT_COLUMNS[order]))
    return listing.where(columns > begin.scalar_subquery())
