"""Watching an upgrade change, to its end."""

import time
from asyncio import create_task, ensure_future, gather, sleep, timeout
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from uplift.domain import (
    AllActive,
    Caller,
    Role,
    Upgrade,
    UpgradeId,
    UpgradeState,
    cancel_upgrade,
    pause_upgrade,
    resume_upgrade,
    run_upgrade,
    watch,
)
from uplift.domain.errors import UpgradeNotFound
from uplift.domain.ports import Store
from uplift.domain.scope import visible_to
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.domain.use_cases.watch import wait_until_finished
from uplift.testing.builders import (
    ADMIN,
    NOON,
    ORDERS,
    a_process,
    a_worker,
    an_upgrade,
    an_upgrade_id,
    instances,
)
from uplift.testing.stores import Around, instances_of
from uplift.testing.upgrade_work import SMALL, leases_of, request, taken, work, work_and_die

pytestmark = pytest.mark.anyio

LARGE = a_worker("large", size=1_000)


async def a_queued_upgrade(store: Store, size: int = 6) -> Upgrade:
    await a_process(store, holding=instances(range(size)))
    return await request(store)


async def seen_by_a_watch(store: Store, upgrade: Upgrade, every: float) -> list[Upgrade]:
    return [state async for state in watch(store, upgrade.id, interval=every)]


async def test_a_finished_upgrade_is_reported_once(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    done = await request(store, worker=LARGE)
    async with timeout(60):
        assert await seen_by_a_watch(store, done, every=60) == [done]


async def test_an_unknown_upgrade_cannot_be_watched(store: Store) -> None:
    unknown = replace(an_upgrade(), id=an_upgrade_id(404))
    with pytest.raises(UpgradeNotFound):
        await seen_by_a_watch(store, unknown, every=60)


@pytest.mark.parametrize("every", [0, -1])
async def test_to_watch_without_a_pause_is_refused(store: Store, every: float) -> None:
    queued = await a_queued_upgrade(store)
    with pytest.raises(ValueError, match="Expected an interval of more than 0 seconds, but got"):
        await seen_by_a_watch(store, queued, every=every)


async def test_the_first_state_and_the_end_are_reported_immediately(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    async with timeout(60):
        watching = watch(store, queued.id, interval=60)
        assert await anext(watching) == queued
        task = ensure_future(anext(watching))
        await sleep(0.05)
        done = await work(store, queued.id)
        assert await task == done
        assert [state async for state in watching] == []


async def test_a_short_interval_reports_each_change(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    async with timeout(60):
        task = create_task(seen_by_a_watch(store, queued, 0.001))
        await sleep(0.01)
        claimed = await taken(store, queued.id)

        async def work_slowly() -> Upgrade:
            worker = replace(
                SMALL, chunk_policy=replace(SMALL.chunk_policy, pause=timedelta(milliseconds=30))
            )
            return await run_upgrade(store, claimed, worker)

        done = await work_slowly()
        seen = await task
    assert seen[0] == queued
    assert seen[-1] == done
    counts = [state.upgraded for state in seen]
    assert counts == sorted(counts)
    assert all(before != after for before, after in pairwise(seen)), "a state is reported once"


async def test_changes_are_reported_at_most_once_an_interval(store: Store) -> None:
    queued = await a_queued_upgrade(store, size=40)
    every = 0.1

    async def look() -> list[float]:
        return [time.monotonic() async for _ in watch(store, queued.id, interval=every)]

    async with timeout(60):
        task = create_task(look())
        await sleep(0.01)
        worker = replace(SMALL, chunk_policy=replace(SMALL.chunk_policy, pause=timedelta(milliseconds=10)))
        await run_upgrade(store, await taken(store, queued.id), worker)
        times = await task
    # The first state comes immediately, and so may the last. A busy machine reports later, never more often.
    assert len(times) <= 2 + (times[-1] - times[0]) / every


async def test_several_may_watch_one_upgrade(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    async with timeout(60):
        watching = [create_task(seen_by_a_watch(store, queued, 60)) for _ in range(5)]
        await sleep(0.05)
        done = await work(store, queued.id)
        assert await gather(*watching) == [[queued, done]] * 5


class CountingReads(Around):
    """Counts how often upgrades are read."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.reads = 0

    @property
    def upgrades(self) -> "CountingReads":
        return self

    async def find_many(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, Upgrade]:
        self.reads += 1
        return await self._store.upgrades.find_many(ids)


async def test_one_read_serves_all_who_watch_or_wait(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    counting = CountingReads(store)
    async with timeout(60):
        watching = [watch(counting, queued.id, interval=60) for _ in range(100)]
        assert await gather(*(anext(states) for states in watching)) == [queued] * 100
        waiting = [create_task(wait_until_finished(counting, queued)) for _ in range(100)]
        following = [ensure_future(anext(states)) for states in watching]
        await sleep(0.05)
        done = await work(store, queued.id)
        assert await gather(*following) == await gather(*waiting) == [done] * 100
        for states in watching:
            await states.aclose()
    # Each chunk, and the end, may lead to a read by either.
    assert counting.reads <= 20


async def test_a_watch_shows_only_what_its_caller_may_see(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    inside = Caller(name="inside", role=Role.READER, namespaces=frozenset({ORDERS.namespace}))
    same_scope = replace(inside, name="same scope")
    outside = replace(inside, namespaces=frozenset({"elsewhere"}))
    assert visible_to(store, inside) == visible_to(store, same_scope)
    assert hash(visible_to(store, inside)) == hash(visible_to(store, same_scope))
    assert visible_to(store, outside) not in (visible_to(store, inside), store)
    async with timeout(60):
        async with aclosing(watch(visible_to(store, inside), queued.id)) as seen:
            assert await anext(seen) == queued
            with pytest.raises(UpgradeNotFound):
                await seen_by_a_watch(visible_to(store, outside), queued, every=60)
            with pytest.raises(UpgradeNotFound):
                await wait_until_finished(visible_to(store, outside), queued)
            cancelled = await cancel_upgrade(store, queued.id, caller=ADMIN)
            assert [state async for state in seen] == [cancelled]


async def test_a_watch_outlasts_a_pause(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    async with timeout(60):
        task = create_task(seen_by_a_watch(store, queued, 0.01))
        await sleep(0.05)
        paused = await pause_upgrade(store, queued.id, caller=ADMIN)
        await sleep(0.05)
        await resume_upgrade(store, queued.id, caller=ADMIN)
        done = await work(store, queued.id)
        seen = await task
    assert seen[0] == queued
    assert paused in seen
    assert seen[-1] == done


async def test_a_wait_for_the_end_has_a_time_limit(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    async with timeout(60):
        assert await wait_until_finished(store, queued, timeout_seconds=0) == queued
        assert await wait_until_finished(store, queued, timeout_seconds=0.05) == queued
        running = await work_and_die(store, queued.id, chunks=1)
        assert await wait_until_finished(store, queued, timeout_seconds=0.05) == running


async def test_a_wait_for_the_end_may_have_no_limit(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    async with timeout(60):
        waiting = [
            create_task(wait_until_finished(store, queued, timeout_seconds=seconds)) for seconds in (None, 60)
        ]
        await sleep(0.05)
        done = await work(store, queued.id)
        assert await gather(*waiting) == [done, done]


async def test_a_finished_upgrade_is_not_waited_for(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    done = await request(store, worker=LARGE)
    assert await wait_until_finished(store, done) == done


async def test_finishing_waits_while_another_worker_runs_the_upgrade(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    claimed = await taken(store, queued.id)
    progress: list[Upgrade] = []
    async with timeout(60):
        task = create_task(finish_upgrade(store, queued, a_worker("other"), on_progress=progress.append))
        await sleep(0.05)
        assert not task.done()
        [lease] = await leases_of(store, queued.id)
        assert lease is not None
        assert lease.worker == "small"
        done = await run_upgrade(store, claimed, SMALL)
        assert await task == done
    assert progress[-1] == done


async def test_finishing_waits_while_the_upgrade_is_paused(store: Store) -> None:
    queued = await a_queued_upgrade(store)
    await pause_upgrade(store, queued.id, caller=ADMIN)
    async with timeout(60):
        task = create_task(finish_upgrade(store, queued, SMALL))
        await sleep(0.05)
        assert not task.done()
        assert await instances_of(store, ORDERS) == instances(range(6))
        await resume_upgrade(store, queued.id, caller=ADMIN)
        done = await task
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 6)


async def add_worked(store: Store, number: int, total: int, seconds: float) -> None:
    """An upgrade with so many outcomes after so much work."""
    worked = replace(
        an_upgrade(number),
        state=UpgradeState.COMPLETED,
        upgraded=total - total // 4,
        skipped=total // 4,
        worked=timedelta(seconds=seconds),
        finished_at=NOON,
    )
    async with store.transaction() as transaction:
        locked, _ = await transaction.upgrades.add(an_upgrade(number), AllActive())
        await locked.save(worked)


async def test_without_a_large_upgrade_no_rate_was_measured(store: Store) -> None:
    await a_process(store)
    assert await store.upgrades.measured_rate() is None
    await add_worked(store, 1, 999, 1)
    assert await store.upgrades.measured_rate() is None


async def test_the_rate_is_that_of_all_large_upgrades_together(store: Store) -> None:
    await a_process(store)
    for number, (total, seconds) in enumerate([(1_000, 1), (9_000, 3), (999, 100)]):
        await add_worked(store, number, total, seconds)
    assert await store.upgrades.measured_rate() == 2_500.0


async def test_only_the_latest_large_upgrades_make_the_rate(store: Store) -> None:
    await a_process(store)
    await add_worked(store, 0, 100_000, 1)
    for number in range(1, 21):
        await add_worked(store, number, 1_000, 2)
    assert await store.upgrades.measured_rate() == 500.0
