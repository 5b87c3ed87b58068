"""Claims: upgrades in the order of their requests, one of each process at a time, under a lease."""

from asyncio import gather
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from uplift.domain import ProcessKey, Upgrade, UpgradeState, claim, get_upgrade, pause_upgrade, run_upgrade
from uplift.domain.model.upgrade import Lease
from uplift.domain.ports import Store
from uplift.domain.use_cases.run import run_chunk
from uplift.domain.use_cases.worker import fail_upgrade
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    NOON,
    ORDERS,
    MovableClock,
    a_clock,
    a_key,
    a_process,
    a_worker,
    an_id,
    an_upgrade_id,
    instances,
)
from uplift.testing.stores import everything_in, instances_of, outcomes_of
from uplift.testing.upgrade_work import (
    SMALL,
    UPGRADED,
    Died,
    dying_after,
    kinds_of,
    leases_of,
    request,
    taken,
    work,
    work_and_die,
    work_and_stop,
)

pytestmark = pytest.mark.anyio

A_MOMENT = timedelta(microseconds=1)


async def three_each(store: Store, *keys: ProcessKey) -> None:
    for place, key in enumerate(keys):
        await a_process(store, key, holding=instances(range(10 * place, 10 * place + 3), process=key))


async def test_upgrades_are_claimed_in_the_order_of_their_requests(store: Store) -> None:
    keys = [a_key(f"process-{number}") for number in range(4)]
    await three_each(store, *keys)
    requested = [await request(store, process=key) for key in (keys[2], keys[0], keys[3], keys[1])]
    found = [await claim(store, SMALL) for _ in range(5)]
    assert [claimed and claimed.id for claimed in found] == [*(upgrade.id for upgrade in requested), None]


async def test_one_upgrade_of_a_process_runs_at_a_time_and_other_processes_beside_it(store: Store) -> None:
    await three_each(store, ORDERS, INVOICES)
    first, second = await request(store), await request(store)
    other = await request(store, process=INVOICES)
    assert (await taken(store, first.id)).state is UpgradeState.RUNNING
    found = await claim(store, a_worker("other"))
    assert found is not None
    assert found.id == other.id
    assert await claim(store, a_worker("third")) is None
    assert await claim(store, a_worker("third"), only=second.id) is None
    stored = await store.upgrades.find(first.id)
    assert stored is not None
    await run_upgrade(store, stored, SMALL)
    found = await claim(store, a_worker("third"))
    assert found is not None
    assert found.id == second.id


async def test_a_certain_upgrade_can_be_claimed_before_an_older_one(store: Store) -> None:
    await three_each(store, ORDERS, INVOICES)
    older, newer = await request(store), await request(store, process=INVOICES)
    assert await store.upgrades.claimable(NOON, only=newer.id) == newer
    assert await store.upgrades.claimable(NOON) == older
    found = await claim(store, SMALL, only=newer.id)
    assert found is not None
    assert found.id == newer.id
    found = await claim(store, SMALL)
    assert found is not None
    assert found.id == older.id


async def test_who_passes_over_upgrades_passes_over_their_processes(store: Store) -> None:
    await three_each(store, ORDERS, INVOICES)
    first, _, other = [await request(store, process=key) for key in (ORDERS, ORDERS, INVOICES)]
    claimable = store.upgrades.claimable
    assert await claimable(NOON, passing_over=[]) == first
    assert await claimable(NOON, passing_over=[first.id]) == other
    assert await claimable(NOON, passing_over={first.id, other.id}) is None
    assert await claimable(NOON, only=other.id, passing_over=[first.id]) == other
    assert await claimable(NOON, only=first.id, passing_over=[first.id]) is None
    assert await claimable(NOON, passing_over=[an_upgrade_id(404)]) == first


async def test_only_waiting_upgrades_are_claimed(store: Store) -> None:
    await three_each(store, ORDERS)
    done = await request(store, worker=a_worker(size=3))
    paused = await pause_upgrade(store, (await request(store)).id, caller=ADMIN)
    before = await everything_in(store)
    for upgrade_id in (done.id, paused.id, an_upgrade_id(404)):
        assert await claim(store, SMALL, only=upgrade_id) is None
    assert await claim(store, SMALL) is None
    assert await everything_in(store) == before


async def test_a_claimed_upgrade_runs_under_a_lease(store: Store) -> None:
    await three_each(store, ORDERS)
    queued = await request(store)
    clock = MovableClock(NOON + timedelta(minutes=5))
    claimed = await claim(store, a_worker("one", clock=clock, lease_for=7))
    assert claimed == replace(
        queued,
        state=UpgradeState.RUNNING,
        started_at=clock.time,
    )
    assert await store.upgrades.find(queued.id) == claimed
    assert await leases_of(store, queued.id) == [Lease(worker="one", until=clock.time + timedelta(seconds=7))]


async def test_each_chunk_renews_the_lease(store: Store) -> None:
    await three_each(store, ORDERS)
    clock = MovableClock()
    worker = a_worker("one", size=1, clock=clock, lease_for=7)
    queued = await request(store, worker=worker)
    claimed = await taken(store, queued.id, worker)
    for _ in range(2):
        with suppress(Died):
            await run_upgrade(store, claimed, worker, on_progress=dying_after(1))
        renewed = Lease(worker="one", until=clock.time + timedelta(seconds=7))
        assert await leases_of(store, queued.id) == [renewed]
        clock.advance(seconds=5)
    done = await run_upgrade(store, claimed, worker)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 3)
    assert (done.started_at, done.finished_at) == (NOON, NOON + timedelta(seconds=10))
    assert await leases_of(store, queued.id) == []


async def test_an_upgrade_is_taken_from_a_worker_whose_lease_has_run_out(store: Store) -> None:
    await three_each(store, ORDERS)
    queued = await request(store)
    stopped = await work_and_die(store, queued.id, chunks=1)
    [lease] = await leases_of(store, queued.id)
    assert lease is not None
    until = lease.until
    assert await claim(store, a_worker("other", clock=a_clock(until))) is None
    taken_over = await claim(store, a_worker("other", clock=a_clock(until + A_MOMENT)))
    assert taken_over == stopped
    renewed = Lease(worker="other", until=until + A_MOMENT + timedelta(seconds=10))
    assert await leases_of(store, queued.id) == [renewed]
    done = await run_upgrade(store, taken_over, a_worker("other"))
    assert (done.state, done.upgraded, done.started_at) == (UpgradeState.COMPLETED, 3, NOON)
    assert await kinds_of(store, done.id) == {an_id(n): UPGRADED for n in range(3)}


async def test_another_upgrade_of_the_process_is_free_when_the_lease_of_the_first_has_run_out(
    store: Store,
) -> None:
    await three_each(store, ORDERS)
    first, second = await request(store), await request(store)
    await work_and_die(store, first.id, chunks=1)
    later = a_worker("other", clock=a_clock(NOON + timedelta(minutes=1)))
    assert await claim(store, a_worker("other"), only=second.id) is None
    found = await claim(store, later, only=second.id)
    assert found is not None
    assert found.id == second.id


@pytest.mark.parametrize("chunks_of_the_other", [0, 1, 2])
async def test_a_worker_that_lost_its_lease_writes_nothing(store: Store, chunks_of_the_other: int) -> None:
    await a_process(store, holding=instances(range(9)))
    queued = await request(store)
    clock = MovableClock()
    slow, other = a_worker("slow", size=2, clock=clock), a_worker("other", size=2, clock=clock)
    begun = await work_and_die(store, queued.id, slow, chunks=1)
    clock.advance(seconds=10, microseconds=1)
    if chunks_of_the_other:
        await work_and_die(store, queued.id, other, chunks=chunks_of_the_other)
    else:
        await taken(store, queued.id, other)
    before = await everything_in(store)
    [stored] = before.upgrades
    assert await run_upgrade(store, begun, slow) == stored
    assert await run_upgrade(store, begun, slow, should_stop=lambda: True) == stored
    assert await fail_upgrade(store, begun, slow, "RuntimeError: of the slow one") is None
    assert await everything_in(store) == before
    [lease] = await leases_of(store, queued.id)
    assert lease is not None
    assert (lease.worker, stored.upgraded) == ("other", 2 + 2 * chunks_of_the_other)
    done = await run_upgrade(store, stored, other)
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 9, 0)
    assert await kinds_of(store, done.id) == {an_id(n): UPGRADED for n in range(9)}


async def test_a_worker_continues_after_its_lease_if_no_other_claimed_the_partition(store: Store) -> None:
    await a_process(store, holding=instances(range(5)))
    clock = MovableClock()
    slow = a_worker("slow", size=2, clock=clock)
    queued = await request(store, worker=slow)
    begun = await work_and_die(store, queued.id, slow, chunks=1)
    clock.advance(hours=1)
    done = await run_upgrade(store, begun, slow)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 5)


async def test_a_worker_that_stops_releases_its_upgrade_between_chunks(store: Store) -> None:
    await a_process(store, holding=instances(range(5)))
    queued = await request(store)
    stopped = await work_and_stop(store, queued.id, chunks=1)
    assert (stopped.state, stopped.upgraded) == (UpgradeState.QUEUED, 2)
    assert await store.upgrades.find(queued.id) == stopped
    assert await leases_of(store, queued.id) == [None]
    assert len(await outcomes_of(store, queued.id)) == 2
    done = await work(store, queued.id, a_worker("other", size=2))
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 5)
    assert await kinds_of(store, done.id) == {an_id(n): UPGRADED for n in range(5)}


async def test_a_worker_that_must_stop_before_its_first_chunk_does_nothing(store: Store) -> None:
    await three_each(store, ORDERS)
    queued = await request(store)
    stopped = await work_and_stop(store, queued.id, chunks=0)
    assert stopped == replace(queued, started_at=NOON)
    assert await instances_of(store, ORDERS) == instances(range(3))


async def test_concurrent_workers_claim_each_upgrade_once(store: Store) -> None:
    keys = [a_key(f"process-{number}") for number in range(3)]
    await three_each(store, *keys)
    requested = [await request(store, process=key) for key in keys]
    found = await gather(*(claim(store, a_worker(f"worker {number}")) for number in range(9)))
    claimed = [upgrade for upgrade in found if upgrade is not None]
    assert sorted(upgrade.id for upgrade in claimed) == sorted(upgrade.id for upgrade in requested)
    leases = [lease for upgrade in requested for lease in await leases_of(store, upgrade.id)]
    assert len({lease.worker for lease in leases if lease}) == len(leases) == 3


async def test_a_failed_upgrade_keeps_its_outcomes_and_its_error(store: Store) -> None:
    await a_process(store, holding=instances(range(5)))
    queued = await request(store)
    stopped = await work_and_die(store, queued.id, chunks=1)
    failed = await fail_upgrade(store, stopped, SMALL, "RuntimeError: on purpose")
    assert await fail_upgrade(store, stopped, SMALL, "RuntimeError: once more") is None
    assert failed == replace(
        stopped, state=UpgradeState.FAILED, finished_at=NOON, error="RuntimeError: on purpose"
    )
    assert await store.upgrades.find(queued.id) == failed
    assert await leases_of(store, queued.id) == [None]
    assert await claim(store, a_worker("other", clock=a_clock(NOON + timedelta(hours=1)))) is None
    assert await kinds_of(store, queued.id) == {an_id(n): UPGRADED for n in range(2)}
    assert await instances_of(store, ORDERS) == [*instances(range(2), version=2), *instances(range(2, 5))]


async def without_partitions(store: Store) -> Upgrade:
    """A RUNNING upgrade whose workers have ended all its partitions, but not the upgrade."""
    await a_process(store, holding=instances(range(7)))
    queued = await request(store)
    while any((await store.partitions.remaining([queued.id])).values()):
        await taken(store, queued.id)
        is_last = False
        while not is_last:
            async with store.transaction() as transaction:
                held = await transaction.partitions.lock_held(queued.id, SMALL.name, SMALL.clock())
                assert held is not None
                is_last = (await run_chunk(transaction, held, 2, SMALL, {}, {})).is_last
        async with store.transaction() as transaction:
            assert await transaction.upgrades.lock(queued.id) is not None
            held = await transaction.partitions.lock_held(queued.id, SMALL.name, SMALL.clock())
            assert held is not None
            await held.end()
    stuck = await get_upgrade(store, queued.id)
    assert stuck.state is UpgradeState.RUNNING
    return stuck


async def test_an_upgrade_that_was_left_without_partitions_is_completed(store: Store) -> None:
    stuck = await without_partitions(store)
    await a_process(store, INVOICES, holding=instances(range(20, 23), process=INVOICES))
    other = await request(store, process=INVOICES)
    # Upgrades with partitions come first.
    found = await claim(store, a_worker("second"))
    assert found is not None
    assert found.id == other.id
    assert (await get_upgrade(store, stuck.id)).state is UpgradeState.RUNNING
    while found is not None:
        assert found.id == other.id
        found = await claim(store, a_worker("second"))
    done = await get_upgrade(store, stuck.id)
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 7, 0)
    assert done.finished_at is not None
    assert await kinds_of(store, stuck.id) == dict.fromkeys((an_id(number) for number in range(7)), UPGRADED)
    # It is completed once: its end time does not change.
    assert await claim(store, a_worker("third"), only=stuck.id) is None
    assert await get_upgrade(store, stuck.id) == done
