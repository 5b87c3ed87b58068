"""An action of an operator has the time at which it takes effect, not that at which it began to wait."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from tests.support.stores import Overlay
from uplift.domain import Upgrade, UpgradeId, UpgradeState, cancel_upgrade, get_events, pause_upgrade
from uplift.domain.ports import Store
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import ADMIN, EVENING, NOON, a_process, instances
from uplift.testing.stores import Around
from uplift.testing.upgrade_work import request

pytestmark = pytest.mark.anyio


class BusyStore(Around):
    """A store in which running chunks end in the evening; until then it is noon."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.now = NOON

    def clock(self) -> datetime:
        return self.now

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[Any]:
        async with self._store.transaction(in_background=in_background) as transaction:

            async def lock(upgrade_id: UpgradeId) -> Overlay:
                locked = await transaction.upgrades.lock(upgrade_id)
                assert locked is not None

                async def stop() -> Upgrade:
                    self.now = EVENING
                    return await locked.stop()

                return Overlay(locked, stop=stop)

            yield Overlay(transaction, upgrades=Overlay(transaction.upgrades, lock=lock))


async def test_a_cancelled_upgrade_ends_when_its_chunks_have_ended() -> None:
    plain = InMemoryStore()
    store = BusyStore(plain)
    await a_process(plain, holding=instances(range(5)))
    queued = await request(plain)
    cancelled = await cancel_upgrade(store, queued.id, caller=ADMIN, clock=store.clock)
    assert (cancelled.state, cancelled.finished_at) == (UpgradeState.CANCELLED, EVENING)
    assert (await get_events(plain, cancelled))[-1].at == EVENING


async def test_an_upgrade_is_paused_when_its_chunks_have_ended() -> None:
    plain = InMemoryStore()
    store = BusyStore(plain)
    await a_process(plain, holding=instances(range(5)))
    queued = await request(plain)
    paused = await pause_upgrade(store, queued.id, caller=ADMIN, clock=store.clock)
    assert (await get_events(plain, paused))[-1].at == EVENING
