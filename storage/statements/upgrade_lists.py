"""Lists and counts upgrades, the newest first.

No index serves the filters: a request adds a row to each index, and most upgrades are requests for a few
instances. A page of a filtered list looks at LOOKED_AT upgrades at most, and ends early if it is not full
then.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select

from uplift.domain.model.access import Namespaces
from uplift.domain.model.paging import Page, PageRequest, page_of
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.ports import ANY_UPGRADE, UpgradeFilter
from uplift.storage.sql.connection import Connection
from uplift.storage.sql.surrogate_keys import SurrogateKeys
from uplift.storage.sql.tables import process, upgrade
from uplift.storage.sql.types import LONG
from uplift.storage.statements.upgrades import UPGRADES, upgrades_of

LOOKED_AT = 20_000
"""How many upgrades a page of a filtered list looks at."""


@dataclass(frozen=True, slots=True)
class UpgradeList:
    """The upgrades of a process, or of all (None), that a filter lets through, in these namespaces."""

    process_id: int | None
    upgrade_filter: UpgradeFilter
    namespaces: Namespaces | None

    @property
    def range(self) -> list[ColumnElement[bool]]:
        """The upgrades that are looked at."""
        conditions: list[ColumnElement[bool]] = []
        if self.process_id is not None:
            conditions.append(upgrade.c.process_id == self.process_id)
        if self.namespaces is not None:
            of_namespaces = select(process.c.id).where(process.c.namespace.in_(sorted(self.namespaces)))
            conditions.append(upgrade.c.process_id.in_(of_namespaces))
        return conditions

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """Those that the filter lets through."""
        which, conditions = self.upgrade_filter, self.range
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
    listing = UPGRADES.where(*listed.conditions, *before).order_by(upgrade.c.id.desc()).limit(page.first + 1)
    if end is not None:
        listing = listing.where(upgrade.c.id >= literal(end, LONG))
    rows: list[Any] = list((await connection.execute(listing)).all())
    found = await upgrades_of(surrogate_keys, rows)
    shown = page_of(((row.id, upgrade) for row, upgrade in zip(rows, found, strict=True)), page.first)
    if end is None or shown.has_next:
        return shown
    return Page(items=shown.items, sort_keys=shown.sort_keys, has_next=True, end=end)


async def count(connection: Connection, listed: UpgradeList) -> int:
    """The number of upgrades on all pages together."""
    if not _can_match(listed):
        return 0
    counting = select(func.count()).select_from(upgrade).where(*listed.conditions)
    counted: int = (await connection.execute(counting)).scalar_one()
    return counted


def _can_match(listed: UpgradeList) -> bool:
    """Whether the texts are such as a database takes: printable, as all names of keys are."""
    return listed.upgrade_filter.requested_by is None or listed.upgrade_filter.requested_by.isprintable()
