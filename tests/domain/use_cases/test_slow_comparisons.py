"""No transaction waits for a comparison: it rolls back, and begins anew when the versions are compared."""

from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any, cast

import pytest

from tests.support.process_shapes import chain
from uplift.domain import UpgradeState, all_active
from uplift.domain.model.instance import Position
from uplift.domain.model.mapping import VersionMapping
from uplift.domain.model.process import VersionModel, VersionNumber
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.ports import Store, Transaction
from uplift.domain.rules.comparer import IN_PROCESS, InProcessComparer, Instructions, Migration
from uplift.domain.use_cases.plan import plan_upgrade
from uplift.domain.use_cases.request import request_upgrade
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import (
    ADMIN,
    ORDERS,
    a_modelled_process,
    a_worker,
    an_instance,
    an_instruction,
    at,
)
from uplift.testing.upgrade_work import work

pytestmark = pytest.mark.anyio


class SlowComparer(InProcessComparer):
    """Has nothing at hand, and notes whether it compares inside a transaction."""

    def __init__(self) -> None:
        super().__init__()
        self.open_transactions = 0
        self.compared: list[int] = []

    def migration_at_hand(self, *_: Any) -> Any:
        return None

    async def migrate(
        self,
        source: VersionModel,
        target: VersionModel,
        instructions: Instructions,
        positions: Collection[Position],
    ) -> Migration:
        self.compared.append(self.open_transactions)
        return IN_PROCESS.migration_at_hand(source, target, instructions, positions)


class Watched:
    """A store that counts its open transactions in a comparer."""

    def __init__(self, store: Store, comparer: SlowComparer) -> None:
        self._store = store
        self._comparer = comparer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def transaction(self, **options: Any) -> AbstractAsyncContextManager[Transaction]:
        return self._transaction(**options)

    @asynccontextmanager
    async def _transaction(self, **options: Any) -> AsyncIterator[Transaction]:
        self._comparer.open_transactions += 1
        try:
            async with self._store.transaction(**options) as transaction:
                yield transaction
        finally:
            self._comparer.open_transactions -= 1


async def a_watched_store(comparer: SlowComparer) -> Store:
    store = InMemoryStore()
    await a_modelled_process(
        store,
        chain("approve", "pay").xml(),
        chain("approve").xml(),
        holding=[an_instance(1, position=at("approve")), an_instance(2, position=at("pay")), an_instance(3)],
    )
    return cast("Store", Watched(store, comparer))


@pytest.mark.parametrize("limit", [10, 1], ids=["in the request", "by a worker"])
async def test_an_upgrade_compares_outside_of_its_transactions(limit: int) -> None:
    comparer = SlowComparer()
    store = await a_watched_store(comparer)
    worker = replace(a_worker("one", size=limit), comparer=comparer)
    mapping = VersionMapping(
        from_version=VersionNumber(1), instructions=(an_instruction("approve", "approve"),)
    )
    request = UpgradeRequest(process=ORDERS, selection=all_active(), mappings=(mapping,))

    upgrade = await request_upgrade(store, request, caller=ADMIN, worker=worker)
    done = upgrade if upgrade.is_finished else await work(store, upgrade.id, worker)

    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 2, 1)
    assert comparer.compared
    assert set(comparer.compared) == {0}


async def test_a_plan_compares_each_version_once() -> None:
    comparer = SlowComparer()
    store = await a_watched_store(comparer)

    plan = await plan_upgrade(
        store, UpgradeRequest(process=ORDERS, selection=all_active()), comparer=comparer
    )

    assert (plan.upgraded, plan.skipped, comparer.compared) == (2, 1, [0])
