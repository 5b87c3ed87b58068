"""Which outcomes of an upgrade does a reply list?"""

from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import Outcome, OutcomeKind, Upgrade
from uplift.domain.ports import OutcomeFilter, Store

MAX_LISTED = 1_000
"""Most instances that one reply lists (rest.md#the-reply)."""

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
