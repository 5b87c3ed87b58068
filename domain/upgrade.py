"""One stored request to upgrade instances: who asked for what, and how far it has come."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from domain.decision import SkipReason
from domain.instance import InstanceId, Position
from domain.mapping import VersionMapping
from domain.process import ProcessKey, VersionNumber
from domain.selection import SelectionKind

UpgradeId = NewType("UpgradeId", UUID)

MAX_REASON_LENGTH = 1_000
"""Longest reason that is kept for the audit, in characters."""


class UpgradeState(StrEnum):
    """The life of an upgrade."""

    RUNNING = "RUNNING"
    """Being worked off, chunk by chunk."""
    COMPLETED = "COMPLETED"
    """Every instance of the selection has its outcome."""


class OutcomeKind(StrEnum):
    """What an upgrade did to one instance."""

    UPGRADED = "UPGRADED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """An upgrade as it stands. Times are in UTC.

    `upgraded` and `skipped` count outcomes so far; `excluded` counts the active instances that the selection
    left out. `mappings` are the caller's instructions. `cursor` is where the next chunk begins, in an order
    that only the store knows.
    """

    id: UpgradeId
    process: ProcessKey
    selection: SelectionKind
    target_version: VersionNumber
    state: UpgradeState
    requested_by: str
    reason: str | None
    mappings: tuple[VersionMapping, ...] = ()
    requested_at: datetime
    finished_at: datetime | None = None
    cursor: int = 0
    upgraded: int = 0
    skipped: int = 0
    excluded: int = 0

    @property
    def total(self) -> int:
        """How many instances have an outcome so far."""
        return self.upgraded + self.skipped

    def advanced(self, *, cursor: int, upgraded: int, skipped: int) -> "Upgrade":
        """The upgrade after one more chunk."""
        return replace(self, cursor=cursor, upgraded=self.upgraded + upgraded, skipped=self.skipped + skipped)

    def completed(self, at: datetime) -> "Upgrade":
        """The upgrade after its last chunk."""
        return replace(self, state=UpgradeState.COMPLETED, finished_at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an upgrade did to one instance: UPGRADED (no reasons), or SKIPPED with every reason.

    Versions and positions are unknown (None) for an id that no instance of the process has. For a skipped
    instance `to_version` and `to_position` are where it stayed.
    """

    instance: InstanceId
    reasons: tuple[SkipReason, ...] = ()
    from_version: VersionNumber | None = None
    to_version: VersionNumber | None = None
    from_position: Position | None = None
    to_position: Position | None = None

    @property
    def kind(self) -> OutcomeKind:
        return OutcomeKind.SKIPPED if self.reasons else OutcomeKind.UPGRADED
