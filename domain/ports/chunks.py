"""Records and moves the chunks of one partition of an upgrade."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from uplift.domain.model.cohort import CountedCohort
from uplift.domain.model.decision import CountedDecision, Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedChunk:
    """A chunk of `recorded` instances, each with its outcome.

    `moved` of them are in cohorts that the passed decisions move; `unmoved` are the others, by cohort.
    `not_found` counts ids of the selection that no instance of the process has. The chunk ends at the
    position `cursor`; `is_last` says that nothing of the partition remains after it.
    """

    recorded: int
    moved: int
    unmoved: tuple[CountedCohort, ...]
    not_found: int
    cursor: int
    is_last: bool


class Chunks(Protocol):
    """Records and moves the instances after the cursor of a locked partition.

    The order within a transaction is: `record_and_move`, then `keep_decisions` for its new cohorts and
    `count_skips`, then `move_rest` for those that upgrade. All of it commits or rolls back together with the
    cursor and the tally of the partition. A linked upgrade passes no decisions to `record_and_move`, so that
    nothing moves, and calls `order` instead of `move_rest`.
    """

    async def end_of(self, size: int) -> int:
        """Return the end position of a chunk of `size` instances, at most the end of the partition."""
        ...

    async def record_and_move(
        self, size: int, decisions: Collection[Decision], end: int | None = None
    ) -> RecordedChunk:
        """Lock the next `size` instances, record their cohorts as outcomes, and move those already decided.

        They end at the position `end`, if `PartitionQueries.end_of_chunk` has found it for this partition.
        `decisions` are all kept UPGRADE decisions; instances of other cohorts are only recorded. Active
        instances that the selection leaves out may count towards `size`.
        Only instances that existed when the upgrade was added belong to it. A selection of all active
        instances processes those that are still active. In a selection by ids, an id without an instance at
        that time is not found.
        """
        ...

    async def move_rest(self, chunk: RecordedChunk, decisions: Collection[Decision]) -> int:
        """Move the unmoved instances of the chunk by these UPGRADE decisions, and return their number.

        Keep the decisions first, and pass every decision that moves an instance of the chunk: a store may
        apply all kept decisions. Moves an instance only if it still is in the cohort it was recorded in.
        """
        ...

    async def order(self, chunk: RecordedChunk) -> int:
        """Add an ORDERED order for each instance of the chunk whose kept decision upgrades, and count them.

        The upgrade has a link. Keep the decisions first.
        """
        ...

    async def decisions(self) -> tuple[Decision, ...]:
        """Return all kept decisions of the upgrade, including those that other workers committed."""
        ...

    async def keep_decisions(self, decisions: Sequence[Decision]) -> Sequence[Decision]:
        """Keep decisions on cohorts of the chunk, and return those that hold.

        The first decision on a cohort holds for all workers: where another one is kept already, it is
        returned instead. Waits for workers that decide on the same cohorts.
        """
        ...

    async def count_skips(self, skips: Sequence[CountedDecision]) -> None:
        """Add what the chunk skipped to the counts of kept SKIP decisions."""
        ...
