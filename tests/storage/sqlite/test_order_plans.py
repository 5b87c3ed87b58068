"""However many orders an upgrade has, sending and settling a batch reads only that batch."""

import re
from pathlib import Path

import pytest

from tests.storage.recording import plan_of, statements_on
from tests.support.stores import an_open_database
from uplift.domain import cancel_upgrade, pause_upgrade, resume_upgrade
from uplift.domain.model.order import Settlement
from uplift.domain.model.paging import PageRequest
from uplift.domain.use_cases.orders import send_orders, settle_orders
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, EVENING, a_worker, at, instances
from uplift.testing.linked_work import (
    ENGINE,
    HOLDER,
    MOVED_ON,
    a_linked_process,
    drop,
    put_back,
    send,
    settle,
)
from uplift.testing.upgrade_work import request, work

pytestmark = pytest.mark.anyio

# The primary key with the upgrade alone, or a partial index with the link alone, is all of its orders.
UNBOUNDED = re.compile(
    r"SCAN move_order|move_order USING PRIMARY KEY \(upgrade_id=\?\)|SCAN (instance|outcome)\b"
)
WALKED_IN_ORDER = re.compile(
    r"SEARCH move_order USING INDEX move_order_(sent|number) \(link_id=\?( AND number>\?)?\)"
)
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


async def test_every_statement_on_orders_reads_its_batch_only(tmp_path: Path) -> None:
    held = [*instances(range(200)), *instances(range(200, 400), position=at("check"))]
    async with an_open_database(tmp_path / "uplift.db") as store:
        await a_linked_process(store, holding=held)
        upgrade = await request(store, worker=a_worker("large"))
        async with store.database.writing() as connection:
            pass
        batch = await send(store, 10)
        assert batch is not None
        with statements_on(connection) as sent:
            for _ in range(2):
                batch = await send(store, 10) or batch
                await put_back(store, batch.numbers[:2])
                await settle(store, batch.numbers[2:8])
                await settle(store, batch.numbers[8:], MOVED_ON)
            async with store.transaction() as transaction:
                locked = await transaction.links.lock(ENGINE)
                assert locked is not None
                await locked.orders.unanswered(EVENING, 10)
                await locked.orders.count_unanswered(10)
                await locked.orders.resend(batch.numbers, EVENING)
            await store.orders.page(ENGINE, PageRequest(first=10, after=3))
            await store.orders.first_unanswered(ENGINE)
            await pause_upgrade(store, upgrade.id, caller=ADMIN)
            await resume_upgrade(store, upgrade.id, caller=ADMIN)
            await cancel_upgrade(store, upgrade.id, caller=ADMIN)
            await drop(store, 10)
        on_orders = [statement for statement in sent if "move_order" in statement.sql]
        plans = {statement.sql: await plan_of(store, statement) for statement in on_orders}
    assert len(plans) >= 15
    for sql, plan in plans.items():
        found = [step for step in plan if UNBOUNDED.search(step)]
        assert found == [], sql
        if any(WALKED_IN_ORDER.search(step) for step in plan):
            assert "LIMIT" in sql
            assert not any("TEMP B-TREE FOR ORDER BY" in step for step in plan), sql
