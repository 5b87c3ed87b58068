"""Defines the policy that sizes the chunks of an upgrade, and the result of one chunk."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from math import sqrt

from uplift.domain.model.cohort import Cohort
from uplift.domain.model.decision import CountedDecision, Decision
from uplift.domain.model.upgrade import Tally, Upgrade

INLINE_LIMIT = 10_000
"""The default of `ChunkPolicy.inline_limit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPolicy:
    """How large chunks are: large enough to be fast, small enough to hold the write lock briefly."""

    inline_limit: int = INLINE_LIMIT
    """The most instances that a request upgrades in its own transaction. A worker runs larger upgrades."""
    initial_size: int = 2_500
    """Below the usual size: the first chunk is slower, because it decides most cohorts."""
    min_size: int = 500
    max_size: int = 200_000
    target_duration: timedelta = timedelta(milliseconds=50)
    """How long a chunk may hold the write lock."""
    pause: timedelta = timedelta(milliseconds=1)
    """The least time between two chunks, in which other programs can get the write lock: they look each
    half millisecond. Writers in this program queue for it."""
    partition_size: int | None = None
    """The number of instances that a worker splits off a free partition; None to take all of it.

    Several workers share an upgrade only in a store that allows concurrent writers.
    """

    def __post_init__(self) -> None:
        if not 1 <= self.min_size <= self.max_size or min(self.inline_limit, self.initial_size) < 1:
            raise ValueError(f"Expected chunks of at least one instance, but got {self}.")
        if self.partition_size is not None and self.partition_size < 1:
            raise ValueError(f"Expected partitions of at least one instance, but got {self}.")

    def size_after(self, size: int, duration: timedelta) -> int:
        """The size of the next chunk after a chunk of this size and duration.

        It is half of the size at least, and at most about 1.4 times as much.
        """
        # Aim below the target duration: the next chunk may be slower than the last.
        factor = 0.7 * self.target_duration / max(duration, timedelta(microseconds=1))
        factor = min(2.0, max(0.5, factor))
        # A chunk may be short by chance, because others left it the processors, and the next one not. So
        # sizes grow more slowly than they shrink.
        factor = min(factor, sqrt(factor))
        return min(self.max_size, max(self.min_size, round(size * factor)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkResult:
    """What one chunk did: the upgrade after it, how many instances moved, and the decisions that skipped.

    `ordered` counts the instances that a linked engine has to move. `not_found` counts ids that no instance
    has. `decisions` holds all decisions known so far, by cohort. The chunk ends at the position `cursor`;
    `is_last` says whether it ends its partition.
    """

    upgrade: Upgrade
    upgraded: int
    skipped: tuple[CountedDecision, ...]
    not_found: int
    decisions: Mapping[Cohort, Decision]
    cursor: int
    is_last: bool
    ordered: int = 0

    def then(self, later: "ChunkResult") -> "ChunkResult":
        """What this chunk and a later one of the same upgrade did together."""
        return replace(
            later,
            upgraded=self.upgraded + later.upgraded,
            skipped=self.skipped + later.skipped,
            not_found=self.not_found + later.not_found,
            is_last=self.is_last and later.is_last,
            ordered=self.ordered + later.ordered,
        )

    def tally(self, worked: timedelta) -> Tally:
        """What the chunk did in this time."""
        skipped = sum(skip.count for skip in self.skipped) + self.not_found
        return Tally(upgraded=self.upgraded, skipped=skipped, ordered=self.ordered, worked=worked)
