"""The statements on orders seek in indexes also in tables that were not analyzed yet."""

import re
from typing import Any

import pytest

from tests.storage.recording import statements_on
from tests.support.stores import Stores
from uplift.domain import cancel_upgrade
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, a_worker, instances
from uplift.testing.linked_work import MOVED_ON, a_linked_process, drop, put_back, send, settle
from uplift.testing.upgrade_work import request

pytestmark = pytest.mark.anyio

SCANS = re.compile(r"(Seq Scan|Index Scan|Index Only Scan|Bitmap Heap Scan).* on move_order")


async def test_orders_are_found_by_their_numbers_and_instances(stores: Stores) -> None:
    async with stores.empty("postgres") as store:
        assert isinstance(store, SqlStore)
        await a_linked_process(store, holding=instances(range(6_000)))
        upgrade = await request(store, worker=a_worker("large"))
        async with store.database.writing() as connection:
            pass
        with statements_on(connection) as sent:
            batch = await send(store, 6)
            assert batch is not None
            await put_back(store, batch.numbers[:2])
            await settle(store, batch.numbers[2:4])
            await settle(store, batch.numbers[4:], MOVED_ON)
            await cancel_upgrade(store, upgrade.id, caller=ADMIN)
            await drop(store, 6)
        updates = [statement for statement in sent if statement.sql.startswith("UPDATE move_order")]
        assert len(updates) >= 5
        for update in updates:
            plan = await plan_on_postgres(store, update.sql, update.values)
            scans = [place for place, line in enumerate(plan) if SCANS.search(line)]
            assert scans, plan
            for place in scans:
                condition = plan[place + 1]
                assert "Index Cond" in condition, plan
                assert re.search(r"(number|instance_id) = |link_id = 1\)$", condition), plan


async def plan_on_postgres(store: SqlStore, sql: str, values: Any) -> list[str]:
    async with store.database.reading() as connection:
        return [row[0] for row in await connection.exec_driver_sql(f"EXPLAIN {sql}", values)]
