"""Which part of a long list is asked for, and where the next part begins."""

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from uplift.domain.errors import InvalidInput

MAX_PAGE_SIZE = 1_000

Item = TypeVar("Item")
Shown = TypeVar("Shown")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """The `first` items behind the key `after` (that of the last item seen; None for the beginning)."""

    first: int
    after: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item]):
    """Some items of a list in its order, the key of each, and whether more follow.

    A key is a number that grows along the list; it is given out only as an opaque cursor.
    """

    items: tuple[Item, ...]
    keys: tuple[int, ...]
    has_next: bool

    @property
    def cursors(self) -> tuple[str, ...]:
        return tuple(encode_cursor(key) for key in self.keys)

    def map(self, show: Callable[[Item], Shown]) -> "Page[Shown]":
        """The same page with each item turned into something else."""
        return Page(items=tuple(show(item) for item in self.items), keys=self.keys, has_next=self.has_next)


def page_of(rows: Iterable[tuple[int, Item]], first: int) -> Page[Item]:
    """The page that keyed rows amount to: one row too many is enough, for it only says that more follow."""
    fetched = list(rows)
    shown = fetched[:first]
    return Page(
        items=tuple(item for _, item in shown),
        keys=tuple(key for key, _ in shown),
        has_next=len(fetched) > first,
    )


def page_request(first: int, after: str | None) -> PageRequest:
    """A checked page request from what a client sent. Raises InvalidInput naming `first` or `after`."""
    if not 1 <= first <= MAX_PAGE_SIZE:
        raise InvalidInput(
            f"Expected first to be from 1 to {MAX_PAGE_SIZE:,}, but got {first}.", field=("first",)
        )
    return PageRequest(first=first, after=None if after is None else decode_cursor(after))


def encode_cursor(key: int) -> str:
    """The opaque form of a key."""
    return base64.urlsafe_b64encode(b"k%d" % key).rstrip(b"=").decode()


def decode_cursor(cursor: str) -> int:
    """The key behind a cursor. Raises InvalidInput when it is not one of ours."""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
        key = int(text.removeprefix("k"))
    except (binascii.Error, ValueError):
        key = -1
    if key < 0 or key >= 2**63 or encode_cursor(key) != cursor:
        raise InvalidInput(
            f"Expected after to be a cursor of this list, but got {cursor[:100]!r}.", field=("after",)
        )
    return key
