"""What does the command line ask of upgrades, be it of a database here or of a gateway somewhere else?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.mapping import VersionMapping
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.selection import Selection
from uplift.gateway.operations.summaries import PlanSummary, UpgradeSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An upgrade that is asked for."""

    process: ProcessKey
    selection: Selection
    mappings: tuple[VersionMapping, ...] = ()
    fingerprint: str | None = None
    reason: str | None = None
    idempotency_key: str | None = None


class Change(StrEnum):
    """What may be changed of an upgrade that is not finished."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


OnProgress = Callable[[UpgradeSummary], None]


class OperationsClient(Protocol):
    """Asks for upgrades and looks after them. `request`, `retry` and `undo` return at once."""

    async def plan(self, wanted: Wanted) -> PlanSummary: ...

    async def request(self, wanted: Wanted) -> UpgradeSummary: ...

    async def retry(
        self,
        of: UUID,
        reasons: frozenset[ReasonCode],
        mappings: tuple[VersionMapping, ...],
        reason: str | None,
    ) -> UpgradeSummary: ...

    async def undo(self, of: UUID, reason: str | None) -> UpgradeSummary: ...

    async def change(self, upgrade: UUID, change: Change) -> UpgradeSummary: ...

    async def see(self, upgrade: UUID) -> UpgradeSummary: ...

    async def latest(self, process: ProcessKey | None, most: int) -> Sequence[UpgradeSummary]:
        """The latest upgrades, the newest first; of one process, or of all."""
        ...

    async def follow(self, upgrade: UUID, on_progress: OnProgress) -> UpgradeSummary:
        """See an upgrade to its end."""
        ...
