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

    A sort key is a number that means an item. Clients only see it as a cursor. `end` is set on a page of a
    filtered list that ended early, perhaps without an item: the sort key up to which the list was searched.
    """

    items: tuple[Item, ...]
    sort_keys: tuple[int, ...]
    has_next: bool
    end: int | None = None

    @property
    def last_key(self) -> int | None:
        """The sort key after which the next page begins; None if nothing was found or searched."""
        return self.end if self.end is not None else self.sort_keys[-1] if self.sort_keys else None

    def map(self, function: Callable[[Item], Mapped]) -> "Page[Mapped]":
        """The same page with the function applied to each item."""
        return Page(
            items=tuple(map(function, self.items)),
            sort_keys=self.sort_keys,
            has_next=self.has_next,
            end=self.end,
        )


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


def page_request(first: int, after: str | None, listing: str = "") -> PageRequest:
    """Make a page request from the input of a client. Raises InvalidInput for `first` or `after`."""
    if not 1 <= first <= MAX_PAGE_SIZE:
        raise InvalidInput(
            f"Expected first to be from 1 to {MAX_PAGE_SIZE:,}, but got {first}.", field=("first",)
        )
    return PageRequest(first=first, after=None if after is None else decode_cursor(after, listing))


def encode_cursor(sort_key: int, listing: str = "") -> str:
    """The opaque cursor for a sort key. `listing` names the list if the key only has a meaning in it."""
    return base64.urlsafe_b64encode(f"k{sort_key}{listing and '.'}{listing}".encode()).rstrip(b"=").decode()


def decode_cursor(cursor: str, listing: str = "") -> int:
    """The sort key of a cursor.

    Raises InvalidInput if `encode_cursor` did not make the cursor, or made it for another listing.
    """
    sort_key, found = _parts(cursor)
    # The bound is that of the BIGINT in the database, to which the key is passed.
    if not 0 <= sort_key < 2**63 or encode_cursor(sort_key, found) != cursor:
        raise InvalidInput(
            f"Expected after to be a cursor of this list, but got {cursor[:100]!r}.", field=("after",)
        )
    if found != listing:
        raise InvalidInput(
            "Expected after to be a cursor of a list with the same filter and order, but "
            f"{cursor[:100]!r} is of another one.",
            field=("after",),
        )
    return sort_key


def _parts(cursor: str) -> tuple[int, str]:
    """The sort key and the listing in a cursor; the key is -1 if it has none."""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
        key, _, listing = text.removeprefix("k").partition(".")
        return int(key), listing
    except (binascii.Error, ValueError):
        return -1, ""
