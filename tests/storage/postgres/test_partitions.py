"""Several workers run the partitions of one upgrade on PostgreSQL at the same time."""

from asyncio import create_task, gather
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.storage.postgres.on_postgres import until_a_lock_is_awaited
from tests.support.long_mode import IS_LONG
from uplift.domain import (
    Status,
    Upgrade,
    UpgradeState,
    Worker,
    all_active,
    cancel_upgrade,
    claim,
    pause_upgrade,
    register_instances,
    request_undo,
    run_upgrade,
)
from uplift.domain.model.chunk import ChunkResult
from uplift.domain.model.request import UndoRequest
from uplift.domain.ports import Transaction
from uplift.domain.use_cases.run import run_chunk
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.domain.use_cases.worker import end_partition
from uplift.storage.store import SqlStore
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    INVOICES,
    ORDERS,
    a_clock,
    a_process,
    a_worker,
    an_id,
    an_instance,
    at,
    instances,
)
from uplift.testing.store.partitions import ONE, TWO, a_partition_worker, a_shared_upgrade, holders_of
from uplift.testing.stores import Everything, everything_in, instances_of, outcomes_of
from uplift.testing.upgrade_work import SMALL, UPGRADED, kinds_of, request, taken, work

pytestmark = pytest.mark.anyio

LATE = a_partition_worker("late", clock=a_clock(EVENING))


async def chunk_of(transaction: Transaction, upgrade: Upgrade, worker: Worker, size: int) -> ChunkResult:
    """Run the next chunk of a partition that the worker holds; the caller commits it."""
    held = await transaction.partitions.lock_held(upgrade.id, worker.name, worker.clock())
    assert held is not None
    return await run_chunk(transaction, held, size, worker, {}, {})


async def test_a_worker_waits_for_no_chunk_of_another_partition(store: SqlStore, neighbour: SqlStore) -> None:
    shared = await a_shared_upgrade(store, 12)
    async with store.transaction() as transaction:
        held = await transaction.partitions.lock_held(shared.id, "one", ONE.clock())
        assert held is not None
        chunk = await held.chunks.record_and_move(6, [])
        assert chunk.recorded == 6
        beside = await run_upgrade(neighbour, shared, TWO)
        assert (beside.state, beside.upgraded) == (UpgradeState.RUNNING, 6)
    # The transaction moved nothing, so what it recorded does not count as upgraded.
    assert (await store.upgrades.find(shared.id)) == beside


async def test_no_chunk_waits_for_the_row_of_its_upgrade(store: SqlStore, neighbour: SqlStore) -> None:
    held = [
        an_instance(number, status=Status.RUNNING if number % 2 else Status.PENDING) for number in range(6)
    ]
    await a_process(store, holding=held)
    upgrade = await taken(store, (await request(store)).id, ONE)
    async with neighbour.database.writing() as connection:
        # FOR UPDATE, with which even the check of a foreign key to the upgrade conflicts.
        await connection.exec_driver_sql("SELECT FROM upgrade FOR UPDATE")
        async with store.transaction() as transaction:
            await chunk_of(transaction, upgrade, ONE, 3)
        async with store.transaction() as transaction:
            last = await chunk_of(transaction, upgrade, ONE, 3)
    assert (last.is_last, last.upgrade.upgraded, last.upgrade.skipped) == (True, 3, 3)


async def test_the_two_last_partitions_that_end_at_the_same_moment_complete_the_upgrade_once(
    store: SqlStore, neighbour: SqlStore
) -> None:
    shared = await a_shared_upgrade(store, 12)
    async with store.transaction() as transaction:
        first = await chunk_of(transaction, shared, ONE, 6)
        assert (first.is_last, first.upgrade.state) == (True, UpgradeState.RUNNING)
    async with store.transaction() as transaction:
        locked = await transaction.upgrades.lock(shared.id)
        assert locked is not None
        other = create_task(run_upgrade(neighbour, shared, a_partition_worker("two", size=6)))
        await until_a_lock_is_awaited(store)
        held = await transaction.partitions.lock_held(shared.id, "one", ONE.clock())
        assert held is not None
        await held.end()
        assert [partition.last for partition in await locked.remaining()] == [12]
    done = await other
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 12)
    assert await store.upgrades.find(shared.id) == done
    assert await kinds_of(store, shared.id) == {an_id(number): UPGRADED for number in range(12)}


async def test_what_another_worker_decides_within_a_chunk_of_an_undo_is_carried_out(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store, holding=instances(range(12)))
    done = await work(store, (await request(store)).id)
    undo = await request_undo(store, UndoRequest(upgrade_id=done.id), caller=ADMIN, worker=SMALL)
    for worker in (ONE, TWO):
        await taken(store, undo.id, worker)
    async with store.transaction() as transaction:
        held = await transaction.partitions.lock_held(undo.id, "one", ONE.clock())
        assert held is not None
        # This worker has read the decisions before: there were none.
        await run_upgrade(neighbour, undo, TWO)
        first = await run_chunk(transaction, held, 6, ONE, {}, {})
    assert (first.upgraded, first.is_last) == (6, True)
    assert (await end_partition(store, undo, ONE)).state is UpgradeState.COMPLETED
    assert await instances_of(store, ORDERS) == instances(range(12))


@pytest.mark.parametrize("attempt", range(3 if IS_LONG else 1))
async def test_many_workers_undo_an_upgrade(store: SqlStore, neighbour: SqlStore, attempt: int) -> None:
    held = [an_instance(number, position=at(f"task {number % 7}")) for number in range(300)]
    await a_process(store, holding=held)
    done = await work(store, (await request(store)).id)
    undo = await request_undo(store, UndoRequest(upgrade_id=done.id), caller=ADMIN, worker=SMALL)
    several = [a_partition_worker(f"worker {number}", size=7 + attempt, partition=40) for number in range(4)]
    ends = await gather(
        *(
            finish_upgrade((store, neighbour)[number % 2], undo, worker)
            for number, worker in enumerate(several)
        )
    )
    assert {(end.state, end.upgraded) for end in ends} == {(UpgradeState.COMPLETED, 300)}
    assert await instances_of(store, ORDERS) == held


@pytest.mark.parametrize(
    ("act", "state"),
    [(pause_upgrade, UpgradeState.PAUSED), (cancel_upgrade, UpgradeState.CANCELLED)],
    ids=["pause", "cancel"],
)
async def test_who_stops_an_upgrade_waits_for_running_chunks_and_sees_none_afterwards(
    store: SqlStore, neighbour: SqlStore, act: Callable[..., Awaitable[Upgrade]], state: UpgradeState
) -> None:
    shared = await a_shared_upgrade(store, 12)
    seen: list[Everything] = []

    async def stop() -> Upgrade:
        stopped = await act(neighbour, shared.id, caller=ADMIN)
        seen.append(await everything_in(neighbour))
        return stopped

    async with store.transaction() as transaction:
        chunk = await chunk_of(transaction, shared, ONE, 2)
        stopping = create_task(stop())
        await until_a_lock_is_awaited(store)
    stopped = await stopping
    assert (stopped.state, stopped.upgraded) == (state, chunk.upgraded)
    for worker in (ONE, TWO):
        assert await run_upgrade(store, shared, worker) == stopped
    assert [await everything_in(store)] == seen
    assert await holders_of(store, shared) == [None, None]


async def test_a_chunk_that_waited_for_a_pause_does_nothing(store: SqlStore, neighbour: SqlStore) -> None:
    shared = await a_shared_upgrade(store, 12)
    async with store.transaction() as transaction:
        locked = await transaction.upgrades.lock(shared.id)
        assert locked is not None
        paused = replace(await locked.stop(), state=UpgradeState.PAUSED)
        # Its statement has begun before the commit, and so reads the upgrade as RUNNING.
        late = create_task(run_upgrade(neighbour, shared, TWO))
        await until_a_lock_is_awaited(store)
        await locked.save(paused)
    assert await late == paused
    assert await instances_of(store, ORDERS) == instances(range(12))


async def test_who_claims_while_another_does_takes_the_next_partition(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store, holding=instances(range(12)))
    queued = await request(store)
    async with store.transaction() as transaction:
        found = await transaction.upgrades.lock_claimable(queued.id, ONE.clock())
        assert found is not None
        other = create_task(claim(neighbour, TWO))
        await until_a_lock_is_awaited(store)
        locked, partition = found
        whole = partition.partition
        await partition.save(replace(whole, cursor=6))
        await partition.add(replace(whole, last=6, lease=ONE.lease()))
        await locked.save(replace(locked.upgrade, state=UpgradeState.RUNNING))
    assert await other is not None
    assert await holders_of(store, queued) == ["one", "two"]


async def test_two_claims_at_once_never_take_two_upgrades_of_a_process(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store, holding=instances(range(12)))
    first, second = await request(store), await request(store)
    async with store.transaction() as transaction:
        found = await transaction.upgrades.lock_claimable(first.id, ONE.clock())
        assert found is not None
        other = create_task(claim(neighbour, TWO, only=second.id))
        await until_a_lock_is_awaited(store)
        locked, partition = found
        await partition.save(replace(partition.partition, lease=ONE.lease()))
        await locked.save(replace(locked.upgrade, state=UpgradeState.RUNNING))
    assert await other is None


async def test_a_claim_passes_over_an_upgrade_whose_only_free_partition_is_locked(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store, holding=instances(range(3)))
    await a_process(store, INVOICES, holding=instances(range(10, 13), process=INVOICES))
    frozen = await taken(store, (await request(store)).id, ONE)
    of_the_same_process, other = await request(store), await request(store, process=INVOICES)
    async with store.transaction() as transaction:
        # By the evening the lease has expired, but the chunk may still be committed.
        assert await transaction.partitions.lock_held(frozen.id, "one", ONE.clock()) is not None
        assert await neighbour.upgrades.claimable(EVENING) == frozen
        claimed = await claim(neighbour, LATE)
        assert claimed is not None
        assert claimed.id == other.id
        assert await claim(neighbour, a_worker("later", clock=a_clock(EVENING))) is None
    assert await store.upgrades.find(of_the_same_process.id) == of_the_same_process
    found = await claim(neighbour, LATE)
    assert found is not None
    assert found.id == frozen.id


async def test_who_releases_an_upgrade_waits_for_no_chunk_of_an_expired_lease(
    store: SqlStore, neighbour: SqlStore
) -> None:
    shared = await a_shared_upgrade(store, 12)
    later = replace(TWO, clock=a_clock(EVENING))
    async with store.transaction() as transaction:
        chunk = await chunk_of(transaction, shared, ONE, 2)
        released = await run_upgrade(neighbour, shared, later, should_stop=lambda: True)
        assert (released.state, released.upgraded) == (UpgradeState.RUNNING, 0)
        assert await holders_of(neighbour, shared) == ["one", None]
    stored = await store.upgrades.find(shared.id)
    assert stored is not None
    assert (stored.state, stored.upgraded) == (UpgradeState.RUNNING, chunk.upgraded)
    assert await holders_of(store, shared) == ["one", None]


async def test_a_worker_keeps_its_upgrade_while_the_only_free_partition_of_the_next_is_locked(
    store: SqlStore, neighbour: SqlStore
) -> None:
    await a_process(store, holding=instances(range(3)))
    await a_process(store, INVOICES, holding=instances(range(10, 22), process=INVOICES))
    frozen = await taken(store, (await request(store)).id, ONE)
    shared = await taken(store, (await request(store, process=INVOICES)).id, LATE)
    async with store.transaction() as transaction:
        assert await transaction.partitions.lock_held(frozen.id, "one", ONE.clock()) is not None
        done = await run_upgrade(neighbour, shared, LATE)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 12)


async def test_many_workers_with_many_cohorts_wait_for_each_other_but_never_in_a_circle(
    store: SqlStore, neighbour: SqlStore
) -> None:
    held = [
        an_instance(
            number,
            version=2 if number % 7 == 0 else 1,
            status=Status.RUNNING if number % 3 == 0 else Status.PENDING,
            position=at(f"task {number % 11}"),
        )
        for number in range(600)
    ]
    await a_process(store)
    await register_instances(store, process=ORDERS, instances=held, caller=ADMIN)
    queued = await request(store, all_active())
    several = [a_partition_worker(f"worker {number}", size=17, partition=60) for number in range(6)]
    ends = await gather(
        *(
            finish_upgrade((store, neighbour)[number % 2], queued, worker)
            for number, worker in enumerate(several)
        )
    )
    moving = {instance.id for instance in held if instance.status is Status.PENDING and instance.version == 1}
    assert {(end.state, end.upgraded, end.skipped) for end in ends} == {
        (UpgradeState.COMPLETED, len(moving), 600 - len(moving))
    }
    kinds = await kinds_of(store, queued.id)
    assert {instance_id for instance_id, kind in kinds.items() if kind is UPGRADED} == moving
    counted = (await store.upgrades.skip_decisions([queued.id]))[queued.id]
    assert sum(decision.count for decision in counted) == 600 - len(moving)
    assert len(await outcomes_of(store, queued.id)) == 600
