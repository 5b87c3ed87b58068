"""The operations on upgrades that the command line needs, on a database or on a remote gateway."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from uplift.domain.model.process import ProcessKey
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade_event import UpgradeEvent
from uplift.gateway.operations.summaries import PlanSummary, UpgradeSummary


class Change(StrEnum):
    """The changes of state that an operator can make to an unfinished upgrade."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


OnProgress = Callable[[UpgradeSummary], None]


class OperationsClient(Protocol):
    """Requests, changes and shows upgrades. Its methods raise UpliftError or RemoteError."""

    async def plan(self, request: UpgradeRequest) -> PlanSummary:
        """What an upgrade would do; changes nothing."""
        ...

    async def request(self, request: UpgradeRequest) -> UpgradeSummary:
        """Request an upgrade; does not wait for its end."""
        ...

    async def retry(self, request: RetryRequest) -> UpgradeSummary:
        """Request a retry; does not wait for its end."""
        ...

    async def undo(self, request: UndoRequest) -> UpgradeSummary:
        """Request an undo; does not wait for its end."""
        ...

    async def change(self, upgrade_id: UpgradeId, change: Change) -> UpgradeSummary:
        """Pause, resume or cancel an upgrade."""
        ...

    async def get(self, upgrade_id: UpgradeId) -> UpgradeSummary:
        """The current state of an upgrade."""
        ...

    async def events(self, upgrade_id: UpgradeId) -> Sequence[UpgradeEvent]:
        """The events of an upgrade, the oldest first."""
        ...

    async def latest(self, process_key: ProcessKey | None, limit: int) -> Sequence[UpgradeSummary]:
        """The latest upgrades of one process or of all, newest first."""
        ...

    async def follow(self, upgrade_id: UpgradeId, on_progress: OnProgress) -> UpgradeSummary:
        """Wait until an upgrade ends. Calls `on_progress` with its state from time to time."""
        ...
