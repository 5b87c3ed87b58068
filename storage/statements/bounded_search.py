"""Bounds how many rows the pages of filtered lists look at, where no index serves the filter.

A page that is not full when the bound is reached ends early, at the last row that was looked at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from uplift.domain.model.paging import Item, Page, page_of

LOOKED_AT = 100_000
"""How many rows the pages of one call look at in all, the same number in each list."""
FIRST_LOOK = 2_000
"""How many rows are looked at first: the page of a large part of a list is full by then."""
LEAST_LOOK = 1_000
"""How many rows of a list are looked at, however many lists a call names."""


@dataclass(slots=True)
class Search:
    """The rows found for the page of a list, and the place up to which its rows were looked at."""

    list_id: int
    begin: int
    rows: list[Any] = field(default_factory=list)
    is_complete: bool = False

    def page(self, found: Sequence[tuple[int, Item]], first: int) -> Page[Item]:
        """The page of the found items, each with its sort key."""
        shown = page_of(found, first)
        if self.is_complete:
            return shown
        return Page(items=shown.items, sort_keys=shown.sort_keys, has_next=True, end=self.begin)


def looks(lists: int) -> Iterator[int]:
    """How many rows of each list to look at, in the first statement and in the second."""
    limit = max(LEAST_LOOK, LOOKED_AT // max(1, lists))
    first = min(FIRST_LOOK, limit)
    yield first
    if limit > first:
        yield limit - first
