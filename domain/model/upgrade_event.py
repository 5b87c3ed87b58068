"""Defines the events in the life of an upgrade.

Most of them can be read from the upgrade itself: when it was requested, started, finished and pruned. A store
keeps only what operators did to it, which the upgrade does not say.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from uplift.domain.model.upgrade import Upgrade, UpgradeState

MAX_EVENTS = 100
"""How many of its operators' latest events an upgrade shows."""


class UpgradeEventKind(StrEnum):
    """What happened to an upgrade."""

    REQUESTED = "REQUESTED"
    STARTED = "STARTED"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    CANCELLED = "CANCELLED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    PRUNED = "PRUNED"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeEvent:
    """An event in the life of an upgrade, its time in UTC, and the name of the caller who caused it.

    `by` is None for what a worker did, and for what was done before stores kept these names.
    """

    at: datetime
    kind: UpgradeEventKind
    by: str | None = None


FIRST, NEXT, END, LAST = range(4)
ORDER = {
    UpgradeEventKind.REQUESTED: FIRST,
    UpgradeEventKind.STARTED: NEXT,
    UpgradeEventKind.PAUSED: NEXT,
    UpgradeEventKind.RESUMED: NEXT,
    UpgradeEventKind.CANCELLED: END,
    UpgradeEventKind.COMPLETED: END,
    UpgradeEventKind.FAILED: END,
    UpgradeEventKind.PRUNED: LAST,
}
"""The order of events whose times are equal, or were read from clocks that differ."""
ENDS = {
    UpgradeState.CANCELLED: UpgradeEventKind.CANCELLED,
    UpgradeState.COMPLETED: UpgradeEventKind.COMPLETED,
    UpgradeState.FAILED: UpgradeEventKind.FAILED,
}


def events_of(upgrade: Upgrade, by_operators: Iterable[UpgradeEvent]) -> tuple[UpgradeEvent, ...]:
    """All events of an upgrade, the oldest first, from the upgrade and what operators did to it."""
    kept = tuple(by_operators)
    kinds = {event.kind for event in kept}
    events = [*(event for event in _recorded_in(upgrade) if event.kind not in kinds), *kept]
    return tuple(sorted(events, key=lambda event: (ORDER[event.kind], event.at)))


def _recorded_in(upgrade: Upgrade) -> Iterable[UpgradeEvent]:
    yield UpgradeEvent(at=upgrade.requested_at, kind=UpgradeEventKind.REQUESTED, by=upgrade.requested_by)
    if upgrade.started_at is not None:
        yield UpgradeEvent(at=upgrade.started_at, kind=UpgradeEventKind.STARTED)
    if upgrade.finished_at is not None and upgrade.state in ENDS:
        yield UpgradeEvent(at=upgrade.finished_at, kind=ENDS[upgrade.state])
    if upgrade.pruned_at is not None:
        yield UpgradeEvent(at=upgrade.pruned_at, kind=UpgradeEventKind.PRUNED)
