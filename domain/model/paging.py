"""Divides long lists into pages with opaque cursors."""

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from uplift.domain.errors import InvalidInput

MAX_PAGE_SIZE = 1_000

Item = TypeVar("Item")
Mapped = TypeVar("Mapped")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """The `first` items after the sort key `after` (None for the beginning of the list)."""

    first: int
    after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """Consecutive items of a list, the sort key of each, and whether more items follow.

    A sort key is a number that changes in one direction along the list. Clients only see it as a cursor.
    """

    items: tuple[Item, ...]
    sort_keys: tuple[int, ...]
    has_next: bool

    @property
    def cursors(self) -> tuple[str, ...]:
        return tuple(encode_cursor(sort_key) for sort_key in self.sort_keys)

    def map(self, function: Callable[[Item], Mapped]) -> "Page[Mapped]":
        """The same page with the function applied to each item."""
        return Page(items=tuple(map(function, self.items)), sort_keys=self.sort_keys, has_next=self.has_next)


def page_of(rows: Iterable[tuple[int, Item]], first: int) -> Page[Item]:
    """Make a page of rows, each a sort key and an item.

    Fetch one row more than `first`: the extra row only shows that more items follow.
    """
    fetched = list(rows)
    page_rows = fetched[:first]
    return Page(
        items=tuple(item for _, item in page_rows),
        sort_keys=tuple(sort_key for sort_key, _ in page_rows),
        has_next=len(fetched) > first,
    )


def page_request(first: int, after: str | None) -> PageRequest:
    """Make a page request from the input of a client. Raises InvalidInput for `first` or `after`."""
    if not 1 <= first <= MAX_PAGE_SIZE:
        raise InvalidInput(
            f"Expected first to be from 1 to {MAX_PAGE_SIZE:,}, but got {first}.", field=("first",)
        )
    return PageRequest(first=first, after=None if after is None else decode_cursor(after))


def encode_cursor(sort_key: int) -> str:
    """The opaque cursor for a sort key."""
    return base64.urlsafe_b64encode(b"k%d" % sort_key).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> int:
    """The sort key of a cursor. Raises InvalidInput if `encode_cursor` did not make the cursor."""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
        sort_key = int(text.removeprefix("k"))
    except (binascii.Error, ValueError):
        sort_key = -1
    # The bound is that of the BIGINT in the database, to which the key is passed.
    if not 0 <= sort_key < 2**63 or encode_cursor(sort_key) != cursor:
        raise InvalidInput(
            f"Expected after to be a cursor of this list, but got {cursor[:100]!r}.", field=("after",)
        )
    return sort_key
