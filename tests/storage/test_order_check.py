"""Wrong counts of linked upgrades are found."""

from dataclasses import replace

import pytest

from tests.support.stores import SERVED, Stores
from uplift.domain.model.order import OrderState
from uplift.storage.order_check import OrderDifference, find_order_differences
from uplift.storage.store import SqlStore
from uplift.testing.builders import a_worker, instances
from uplift.testing.linked_work import MOVED_ON, a_linked_process, send, settle
from uplift.testing.upgrade_work import request

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("kind", SERVED)
async def test_counts_that_are_not_those_of_the_orders_are_found(stores: Stores, kind: str) -> None:
    async with stores.empty(kind) as store:
        assert isinstance(store, SqlStore)
        await a_linked_process(store, holding=instances(range(6)))
        upgrade = await request(store, worker=a_worker("large"))
        await send(store, 4)
        await settle(store, [1, 2])
        await settle(store, [3], MOVED_ON)
        assert await find_order_differences(store.database) == ()
        async with store.transaction() as transaction:
            locked = await transaction.upgrades.lock(upgrade.id)
            assert locked is not None
            await locked.save(replace(locked.upgrade, ordered=5, sent=0, upgraded=7, refusals={}))
        assert await find_order_differences(store.database) == tuple(
            OrderDifference(upgrade=upgrade.id, state=state, kept=kept, counted=counted)
            for state, kept, counted in (
                (OrderState.ORDERED, 5, 2),
                (OrderState.SENT, 0, 1),
                (OrderState.CONFIRMED, 7, 2),
                (OrderState.REFUSED, 0, 1),
            )
        )
