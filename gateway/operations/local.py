"""Operations on upgrades in a local database."""

from collections.abc import Sequence

from uplift.domain.model.access import Caller
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.process import ProcessKey
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.model.upgrade_event import UpgradeEvent
from uplift.domain.ports import Store
from uplift.domain.use_cases.control import cancel_upgrade, pause_upgrade, resume_upgrade
from uplift.domain.use_cases.links.objections import with_objections
from uplift.domain.use_cases.plan import plan_upgrade
from uplift.domain.use_cases.request import request_retry, request_undo, request_upgrade
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.domain.use_cases.watch import get_events, get_upgrade
from uplift.domain.use_cases.worker import Worker
from uplift.engines.registry import engine_of
from uplift.gateway.operations.client import Change, OnProgress
from uplift.gateway.operations.summaries import (
    PlanSummary,
    UpgradeSummary,
    summary_of_plan,
    summary_of_upgrade,
)

CHANGES = {Change.PAUSE: pause_upgrade, Change.RESUME: resume_upgrade, Change.CANCEL: cancel_upgrade}


class LocalClient:
    """Implements OperationsClient on an open store. It runs upgrades itself, so no server is needed."""

    def __init__(self, store: Store, caller: Caller, worker: Worker) -> None:
        self._store = store
        self._caller = caller
        self._worker = worker

    async def plan(self, request: UpgradeRequest) -> PlanSummary:
        comparer = self._worker.comparer
        plan = await plan_upgrade(self._store, request, comparer=comparer)
        return summary_of_plan(await with_objections(self._store, plan, engine_of, comparer=comparer))

    async def request(self, request: UpgradeRequest) -> UpgradeSummary:
        upgrade = await request_upgrade(self._store, request, caller=self._caller, worker=self._worker)
        return await self._summary(upgrade)

    async def retry(self, request: RetryRequest) -> UpgradeSummary:
        upgrade = await request_retry(self._store, request, caller=self._caller, worker=self._worker)
        return await self._summary(upgrade)

    async def undo(self, request: UndoRequest) -> UpgradeSummary:
        upgrade = await request_undo(self._store, request, caller=self._caller, worker=self._worker)
        return await self._summary(upgrade)

    async def change(self, upgrade_id: UpgradeId, change: Change) -> UpgradeSummary:
        changed = await CHANGES[change](
            self._store, upgrade_id, caller=self._caller, clock=self._worker.clock
        )
        return await self._summary(changed)

    async def get(self, upgrade_id: UpgradeId) -> UpgradeSummary:
        return await self._summary(await get_upgrade(self._store, upgrade_id))

    async def events(self, upgrade_id: UpgradeId) -> Sequence[UpgradeEvent]:
        return await get_events(self._store, await get_upgrade(self._store, upgrade_id))

    async def latest(self, process_key: ProcessKey | None, limit: int) -> Sequence[UpgradeSummary]:
        page = await self._store.upgrades.page(process_key, PageRequest(first=limit))
        skips = await self._store.upgrades.skip_decisions([upgrade.id for upgrade in page.items])
        return [summary_of_upgrade(upgrade, skips[upgrade.id]) for upgrade in page.items]

    async def follow(self, upgrade_id: UpgradeId, on_progress: OnProgress) -> UpgradeSummary:
        upgrade = await finish_upgrade(
            self._store,
            await get_upgrade(self._store, upgrade_id),
            self._worker,
            on_progress=lambda current: on_progress(summary_of_upgrade(current, ())),
        )
        return await self._summary(upgrade)

    async def _summary(self, upgrade: Upgrade) -> UpgradeSummary:
        return summary_of_upgrade(
            upgrade, (await self._store.upgrades.skip_decisions([upgrade.id]))[upgrade.id]
        )
