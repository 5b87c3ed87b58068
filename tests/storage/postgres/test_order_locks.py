"""Transactions that order, send, settle and report at the same time do not deadlock, and lose nothing."""

from asyncio import Event, TaskGroup, timeout
from random import Random

import pytest

from uplift.domain import UpgradeState, register_instances, report_instances
from uplift.domain.model.link import LinkKind
from uplift.storage.count_check import find_count_differences
from uplift.storage.order_check import find_order_differences
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, ORDERS, a_report, a_worker, an_instance, at, instances
from uplift.testing.linked_work import MOVED_ON, a_linked_process, found, orders_of, send, settle
from uplift.testing.upgrade_work import request, work

pytestmark = pytest.mark.anyio

HELD = 300


async def report_at_random(store: SqlStore, ended: Event, seed: int) -> None:
    """Report and register instances of the process, as an engine that pulls does."""
    chance = Random(seed)
    while not ended.is_set():
        some = chance.sample(range(HELD), 8)
        reports = [a_report(number, position=at(chance.choice(["approve", "check"]))) for number in some]
        await report_instances(store, reports=reports, caller=ADMIN)
        new = [an_instance(HELD + chance.randrange(50)), an_instance(HELD + 50 + seed)]
        await register_instances(store, process=ORDERS, instances=new, caller=ADMIN)


async def carry_out(store: SqlStore, ended: Event, seed: int) -> None:
    """Send orders and settle them, most by a confirmation, each twice."""
    chance = Random(seed)
    while not ended.is_set():
        batch = await send(store, 7)
        if batch is not None:
            refusal = MOVED_ON if chance.random() < 0.2 else None
            for _ in range(2):
                await settle(store, batch.numbers[::-1], refusal)


async def test_concurrent_chunks_answers_and_reports_lose_nothing(store: SqlStore) -> None:
    await a_linked_process(store, holding=instances(range(HELD)), kind=LinkKind.PULL)
    upgrade = await request(store, worker=a_worker("front door", size=20))
    ended = Event()
    async with timeout(120), TaskGroup() as tasks:
        tasks.create_task(report_at_random(store, ended, 1))
        tasks.create_task(report_at_random(store, ended, 2))
        tasks.create_task(carry_out(store, ended, 3))
        tasks.create_task(carry_out(store, ended, 4))
        await work(store, upgrade.id, a_worker("worker", size=20))
        while (await found(store, upgrade.id)).state is not UpgradeState.COMPLETED:
            await store.wait_for_change(1)
        ended.set()
    done = await found(store, upgrade.id)
    assert (done.total >= HELD, done.unsettled) == (True, 0)
    numbers = [order.number for order in await orders_of(store)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert await find_order_differences(store.database) == ()
    assert await find_count_differences(store.database) == ()
