"""Which outcomes of an upgrade does a reply list?"""

from domain.paging import Page, PageRequest
from domain.ports import OutcomeFilter, Store
from domain.selection import SelectionKind
from domain.upgrade import Outcome, OutcomeKind, Upgrade

MAX_LISTED = 1_000
"""Most instances that one reply lists (REST.md)."""

_NOTHING: Page[Outcome] = Page(items=(), keys=(), has_next=False)


async def listed_outcomes(store: Store, upgrade: Upgrade) -> Page[Outcome]:
    """Those of all ids asked for, or of those that were skipped when the request named none."""
    if upgrade.selection is SelectionKind.BY_IDS:
        which = OutcomeFilter()
    elif upgrade.skipped:
        which = OutcomeFilter(kind=OutcomeKind.SKIPPED)
    else:
        return _NOTHING
    pages = await store.outcome_pages([upgrade.id], which, PageRequest(first=MAX_LISTED))
    return pages[upgrade.id]
