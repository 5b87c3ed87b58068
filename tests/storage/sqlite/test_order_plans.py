"""However many orders an upgrade has, sending and settling a batch reads only that batch."""

import pytest

from tests.storage.recording import plan_of, statements_on
from uplift.domain.model.order import Settlement
from uplift.domain.use_cases.orders import send_orders, settle_orders
from uplift.storage.store import SqlStore
from uplift.testing.builders import instances
from uplift.testing.linked_work import ENGINE, HOLDER, a_linked_process
from uplift.testing.upgrade_work import request, work

pytestmark = pytest.mark.anyio

READS_ALL = ("SCAN move_order", "SEARCH move_order USING PRIMARY KEY (upgrade_id=?)")


async def test_a_batch_is_found_and_settled_by_indexes(store: SqlStore) -> None:
    await a_linked_process(store, holding=instances(range(6)))
    await work(store, (await request(store)).id)
    async with store.transaction() as transaction:
        with statements_on(transaction._session.connection) as sent:
            link = await transaction.links.lock_held(ENGINE, HOLDER)
            assert link is not None
            batch = await send_orders(transaction, link, 2)
            assert batch is not None
            await settle_orders(transaction, link, [Settlement(number=number) for number in batch.numbers])
    on_orders = [statement for statement in sent if "move_order" in statement.sql]
    assert len(on_orders) >= 4
    for statement in on_orders:
        steps = await plan_of(store, statement)
        assert not [step for step in steps if step.startswith(READS_ALL)], (statement.sql, steps)
