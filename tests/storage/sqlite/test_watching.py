"""One program watches and controls an upgrade that another program runs on the same file."""

from asyncio import create_task, sleep, timeout
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from uplift.domain import UpgradeState, cancel_upgrade, claim, pause_upgrade, run_upgrade, watch
from uplift.domain.model.upgrade import Upgrade
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.domain.use_cases.watch import wait_until_finished
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, MovableClock, a_process, a_worker, an_id, instances
from uplift.testing.stores import everything_in
from uplift.testing.upgrade_work import (
    SMALL,
    UPGRADED,
    Died,
    dying_after,
    kinds_of,
    request,
    taken,
    work,
    work_and_die,
)

pytestmark = pytest.mark.anyio


async def test_the_work_of_another_program_is_seen_to_its_end(store: SqlStore, neighbour: SqlStore) -> None:
    await a_process(store, holding=instances(range(12)))
    queued = await request(store)
    seen: list[Upgrade] = []

    async def look() -> None:
        seen.extend([upgrade async for upgrade in watch(neighbour, queued.id, interval=0.02)])

    async with timeout(20):
        task = create_task(look())
        slow = replace(SMALL, chunk_policy=replace(SMALL.chunk_policy, pause=timedelta(milliseconds=30)))
        done = await run_upgrade(store, await taken(store, queued.id), slow)
        await task
    assert seen[-1] == done
    assert len(seen) > 2
    assert [upgrade.upgraded for upgrade in seen] == sorted(upgrade.upgraded for upgrade in seen)


async def test_a_chunk_wakes_nobody_and_the_end_of_its_upgrade_all(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(12)))
    claimed = await taken(store, (await request(store)).id)
    waiting = create_task(store.wait_for_change(60))
    await sleep(0)  # it waits from here on
    woken: list[bool] = []
    # A task that a chunk woke would have its turn in the pause before the next chunk.
    done = await run_upgrade(store, claimed, SMALL, on_progress=lambda _: woken.append(waiting.done()))
    assert done.is_finished
    assert woken == [False] * 6
    async with timeout(20):
        await waiting


async def test_the_end_of_an_upgrade_in_another_program_is_waited_for(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store, holding=instances(range(5)))
    queued = await request(store)
    async with timeout(20):
        assert await wait_until_finished(neighbour, queued, timeout_seconds=0.01) == queued
        task = create_task(wait_until_finished(neighbour, queued))
        await sleep(0.05)
        done = await work(store, queued.id)
        assert await task == done


async def test_one_program_pauses_and_cancels_what_another_works_on(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store, holding=instances(range(12)))
    queued = await request(store)
    running = await work_and_die(store, queued.id, chunks=1)
    paused = await pause_upgrade(neighbour, queued.id, caller=ADMIN)
    assert await run_upgrade(store, running, SMALL) == paused
    assert await claim(store, a_worker("other")) is None
    cancelled = await cancel_upgrade(neighbour, queued.id, caller=ADMIN)
    assert await store.upgrades.find(queued.id) == cancelled
    assert (cancelled.state, cancelled.upgraded) == (UpgradeState.CANCELLED, 2)


async def test_a_program_that_lost_its_lease_to_another_writes_nothing_more(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store, holding=instances(range(12)))
    clock = MovableClock()
    slow, other = a_worker("slow", size=2, clock=clock), a_worker("other", size=3, clock=clock)
    queued = await request(store, worker=slow)
    begun = await work_and_die(store, queued.id, slow, chunks=1)
    clock.advance(seconds=11)
    taken_over = await taken(neighbour, queued.id, other)
    with suppress(Died):
        await run_upgrade(neighbour, taken_over, other, on_progress=dying_after(1))
    before = await everything_in(store)
    assert await run_upgrade(store, begun, slow) == before.upgrades[0]
    assert await everything_in(neighbour) == before
    clock.advance(seconds=11)
    done = await finish_upgrade(neighbour, before.upgrades[0], a_worker("third", size=2, clock=clock))
    assert (done.upgraded, done.skipped) == (12, 0)
    assert await kinds_of(store, queued.id) == {an_id(n): UPGRADED for n in range(12)}
