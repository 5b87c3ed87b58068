"""What does the command line ask of upgrades, be it of a database here or of a gateway somewhere else?"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from uplift.domain.model.process import ProcessKey
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.gateway.operations.summaries import PlanSummary, UpgradeSummary


class Change(StrEnum):
    """What may be changed of an upgrade that is not finished."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


OnProgress = Callable[[UpgradeSummary], None]


class OperationsClient(Protocol):
    """Asks for upgrades and looks after them. `request`, `retry` and `undo` return at once."""

    async def plan(self, request: UpgradeRequest) -> PlanSummary: ...

    async def request(self, request: UpgradeRequest) -> UpgradeSummary: ...

    async def retry(self, request: RetryRequest) -> UpgradeSummary: ...

    async def undo(self, request: UndoRequest) -> UpgradeSummary: ...

    async def change(self, upgrade: UUID, change: Change) -> UpgradeSummary: ...

    async def see(self, upgrade: UUID) -> UpgradeSummary: ...

    async def latest(self, process: ProcessKey | None, most: int) -> Sequence[UpgradeSummary]:
        """The latest upgrades, the newest first; of one process, or of all."""
        ...

    async def follow(self, upgrade: UUID, on_progress: OnProgress) -> UpgradeSummary:
        """See an upgrade to its end."""
        ...
