"""Lists and counts upgrades, the newest first.

Only upgrades that wait for a worker or run have an index: a request adds a row to each index, and most
upgrades are requests for a few instances. A page of a filtered list looks at LOOKED_AT upgrades at most, and
ends early if it is not full then. Lists of more than COUNTED are not counted.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select, true

from uplift.domain.model.access import Namespaces
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.upgrade import Upgrade, UpgradeState
from uplift.domain.ports import ANY_UPGRADE, UpgradeFilter
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import IS_WAITING, process, upgrade
from uplift.storage.sql.types import LONG
from uplift.storage.statements.outcomes.bucket_totals import in_layout
from uplift.storage.statements.upgrades.upgrades import UPGRADES, upgrades_of

LOOKED_AT = 20_000
"""How many upgrades a page of a filtered list looks at."""
COUNTED = 20_000
"""How many upgrades are looked at to count those of a list."""
WAITING = frozenset({UpgradeState.QUEUED, UpgradeState.RUNNING})
"""The states with an index."""


@dataclass(frozen=True, slots=True)
class UpgradeList:
    """The upgrades of a process, or of all (None), that a filter lets through, in these namespaces."""

    process_id: int | None
    upgrade_filter: UpgradeFilter
    namespaces: Namespaces | None

    @property
    def range(self) -> list[ColumnElement[bool]]:
        """The upgrades that are looked at."""
        states = self.upgrade_filter.states
        is_waiting = states is not None and states <= WAITING
        conditions: list[ColumnElement[bool]] = [IS_WAITING] if is_waiting else []
        # `+ 0` keeps the databases from the index on processes: that of the few waiting ones is shorter.
        process_id = upgrade.c.process_id + 0 if is_waiting else upgrade.c.process_id
        if self.process_id is not None:
            conditions.append(process_id == self.process_id)
        if self.namespaces is not None:
            of_namespaces = select(process.c.id).where(process.c.namespace.in_(sorted(self.namespaces)))
            conditions.append(process_id.in_(of_namespaces))
        return conditions

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """Those of them that the filter lets through."""
        which = self.upgrade_filter
        conditions: list[ColumnElement[bool]] = []
        if which.states is not None:
            conditions.append(upgrade.c.state.in_(sorted(which.states)))
        if which.kinds is not None:
            conditions.append(upgrade.c.selection.in_(sorted(which.kinds)))
        if which.requested_by is not None:
            conditions.append(upgrade.c.requested_by == which.requested_by)
        if which.since is not None:
            conditions.append(upgrade.c.requested_at >= which.since)
        return conditions


async def page(
    connection: Connection, surrogate_keys: SurrogateKeys, listed: UpgradeList, page: PageRequest
) -> Page[Upgrade]:
    """A page of the upgrades."""
    if not _can_match(listed):
        return page_of((), page.first)
    before = [] if page.after is None else [upgrade.c.id < literal(page.after, LONG)]
    end: int | None = None
    if listed.upgrade_filter != ANY_UPGRADE:
        last = select(upgrade.c.id).where(*listed.range, *before).order_by(upgrade.c.id.desc())
        end = (await connection.execute(last.limit(1).offset(LOOKED_AT - 1))).scalar_one_or_none()
    listing = in_layout(connection, UPGRADES).where(*listed.range, *listed.conditions, *before)
    listing = listing.order_by(upgrade.c.id.desc()).limit(page.first + 1)
    if end is not None:
        listing = listing.where(upgrade.c.id >= literal(end, LONG))
    rows: list[Any] = list((await connection.execute(listing)).all())
    found = await upgrades_of(surrogate_keys, rows)
    shown = page_of(((row.id, upgrade) for row, upgrade in zip(rows, found, strict=True)), page.first)
    if end is None or shown.has_next:
        return shown
    return Page(items=shown.items, sort_keys=shown.sort_keys, has_next=True, end=end)


async def count(connection: Connection, listed: UpgradeList) -> int | None:
    """The number of upgrades on all pages together; None if more than COUNTED would be looked at."""
    if not _can_match(listed):
        return 0
    is_shown = case((and_(true(), *listed.conditions), 1), else_=0).label("is_shown")
    looked_at = select(is_shown).select_from(upgrade).where(*listed.range).limit(COUNTED + 1).subquery()
    counting = select(func.count(), func.coalesce(func.sum(looked_at.c.is_shown), 0)).select_from(looked_at)
    [(seen, shown)] = (await connection.execute(counting)).all()
    return None if seen > COUNTED else shown


def _can_match(listed: UpgradeList) -> bool:
    """Whether the texts are such as a database takes: printable, as all names of keys are."""
    return listed.upgrade_filter.requested_by is None or listed.upgrade_filter.requested_by.isprintable()
