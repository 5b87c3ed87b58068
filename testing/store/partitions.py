"""Several workers run one upgrade, each a partition of its own, and each instance moves once."""

from asyncio import gather
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from uplift.domain import (
    JoinPolicy,
    OutcomeKind,
    ReasonCode,
    Selection,
    Status,
    Upgrade,
    UpgradeId,
    UpgradeState,
    Worker,
    all_active,
    by_ids,
    cancel_upgrade,
    claim,
    pause_upgrade,
    report_instances,
    request_retry,
    request_undo,
    resume_upgrade,
    run_upgrade,
)
from uplift.domain.clock import Clock
from uplift.domain.model.chunk import ChunkPolicy
from uplift.domain.model.request import RetryRequest, UndoRequest
from uplift.domain.ports import Store, Transaction
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.domain.use_cases.worker import fail_upgrade
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    INVOICES,
    NOON,
    ORDERS,
    MovableClock,
    a_clock,
    a_process,
    a_report,
    a_worker,
    an_id,
    instances,
)
from uplift.testing.stores import Around, everything_in, instances_of, outcomes_of
from uplift.testing.upgrade_work import (
    SMALL,
    UPGRADED,
    Died,
    kinds_of,
    leases_of,
    request,
    stopping_after,
    taken,
    work,
    work_and_die,
)

pytestmark = pytest.mark.anyio

Stop = Callable[[Store, Upgrade], Awaitable[Upgrade]]


def a_partition_worker(name: str, *, size: int = 2, partition: int = 6, clock: Clock | None = None) -> Worker:
    """A worker that claims at most six instances at a time, and joins any number of others."""
    worker = a_worker(name, size=size, clock=clock)
    return replace(
        worker,
        chunk_policy=replace(worker.chunk_policy, partition_size=partition),
        join_policy=JoinPolicy(unmeasured=1_000),
    )


ONE, TWO, THREE = (a_partition_worker(name) for name in ("one", "two", "three"))


async def holders_of(store: Store, upgrade: Upgrade) -> list[str | None]:
    """The holders of the remaining partitions, along the selection."""
    return [None if lease is None else lease.worker for lease in await leases_of(store, upgrade.id)]


async def a_queued_upgrade(store: Store, count: int, selection: Selection | None = None) -> Upgrade:
    await a_process(store, holding=instances(range(count)))
    return await request(store, selection)


async def a_shared_upgrade(store: Store, count: int = 15) -> Upgrade:
    """ONE and TWO hold six instances each, and no worker the others."""
    queued = await a_queued_upgrade(store, count)
    for worker in (ONE, TWO):
        await taken(store, queued.id, worker)
    return queued


async def next_chunk(store: Store, upgrade: Upgrade, worker: Worker) -> Upgrade:
    """The upgrade after one more chunk of the partition that the worker holds."""
    reported: list[Upgrade] = []

    def die(so_far: Upgrade) -> None:
        reported.append(so_far)
        raise Died

    with suppress(Died):
        await run_upgrade(store, upgrade, worker, on_progress=die)
    return reported[0]


async def partitions_worked(store: Store, upgrade: Upgrade) -> list[int]:
    """How many outcomes each partition comes to, taken one after the other, each worked in one chunk."""
    sizes: list[int] = []
    while not upgrade.is_finished:
        worker = a_partition_worker(f"worker {len(sizes)}", size=1_000)
        await taken(store, upgrade.id, worker)
        done = await next_chunk(store, upgrade, worker)
        sizes.append(done.total - upgrade.total)
        upgrade = done
    return sizes


@pytest.mark.parametrize(
    ("selection", "sizes"),
    [
        (all_active(), [6, 6, 3]),
        (by_ids(map(an_id, range(14, -1, -1))), [6, 6, 3]),
        (by_ids([*map(an_id, range(10)), an_id(404)]), [6, 5]),
        (by_ids(map(an_id, range(6))), [6]),
    ],
    ids=["all active", "by ids", "with an unknown one", "no more than one partition"],
)
async def test_a_worker_claims_no_more_than_a_partition(
    store: Store, selection: Selection, sizes: list[int]
) -> None:
    queued = await a_queued_upgrade(store, 15, selection)
    assert await partitions_worked(store, queued) == sizes
    assert await store.partitions.remaining([queued.id]) == {queued.id: ()}


async def test_excluded_instances_are_in_no_partition(store: Store) -> None:
    queued = await a_queued_upgrade(store, 20, all_active(map(an_id, [0, 7, 8, 19])))
    sizes = await partitions_worked(store, queued)
    assert sum(sizes) == 16
    assert len(sizes) > 1
    excluded_ids = [instance.id for instance in await instances_of(store, ORDERS) if instance.version == 1]
    assert excluded_ids == list(map(an_id, [0, 7, 8, 19]))


async def test_ended_instances_do_not_count_towards_a_partition(store: Store) -> None:
    queued = await a_queued_upgrade(store, 20)
    ended = [a_report(number, status=Status.COMPLETED) for number in range(0, 20, 2)]
    await report_instances(store, reports=ended, caller=ADMIN)
    assert await partitions_worked(store, queued) == [6, 4]


async def test_retries_and_undos_are_partitioned_too(store: Store) -> None:
    await a_process(store, holding=instances(range(20), status=Status.RUNNING))
    skipped = await work(store, (await request(store)).id)
    await report_instances(store, reports=[a_report(number) for number in range(15)], caller=ADMIN)
    reasons = frozenset({ReasonCode.NOT_PENDING})
    retry = await request_retry(
        store, RetryRequest(upgrade_id=skipped.id, reasons=reasons), caller=ADMIN, worker=SMALL
    )
    assert await partitions_worked(store, retry) == [6, 6, 6, 2]
    undo = await request_undo(store, UndoRequest(upgrade_id=retry.id), caller=ADMIN, worker=SMALL)
    undone = await partitions_worked(store, undo)
    assert sum(undone) == 15
    assert len(undone) > 1
    assert {instance.version for instance in await instances_of(store, ORDERS)} == {1}


async def test_workers_run_one_upgrade_from_its_start(store: Store) -> None:
    shared = await a_shared_upgrade(store)
    assert await holders_of(store, shared) == ["one", "two", None]
    await taken(store, shared.id, THREE)
    assert await holders_of(store, shared) == ["one", "two", "three"]
    assert await claim(store, a_worker("four")) is None
    first, second, third = (await store.partitions.remaining([shared.id]))[shared.id]
    assert (first.cursor, first.last, second.last) == (0, second.cursor, third.cursor)


async def test_each_worker_continues_in_its_own_partition(store: Store) -> None:
    shared = await a_shared_upgrade(store)
    for worker, numbers in ((TWO, [6, 7]), (ONE, [0, 1]), (TWO, [8, 9]), (TWO, [10, 11])):
        before = await kinds_of(store, shared.id)
        so_far = await next_chunk(store, shared, worker)
        now = await kinds_of(store, shared.id)
        assert (so_far.state, so_far.upgraded) == (UpgradeState.RUNNING, len(now))
        assert now.keys() - before.keys() == set(map(an_id, numbers))
    assert await holders_of(store, shared) == ["one", None]
    done = await run_upgrade(store, shared, ONE)
    assert (done.state, done.upgraded, done.expected) == (UpgradeState.COMPLETED, 15, 15)
    assert await instances_of(store, ORDERS) == instances(range(15), version=2)


async def test_the_end_of_the_last_partition_completes_the_upgrade(store: Store) -> None:
    shared = await a_shared_upgrade(store, 12)
    after = await run_upgrade(store, shared, ONE)
    assert (after.state, after.upgraded) == (UpgradeState.RUNNING, 6)
    assert await claim(store, ONE) is None
    done = await run_upgrade(store, shared, TWO)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 12)
    assert await store.upgrades.find(shared.id) == done


@pytest.mark.parametrize("workers", [2, 5])
@pytest.mark.parametrize(
    "selection", [all_active(), by_ids(map(an_id, range(99, -1, -1)))], ids=["all active", "by ids"]
)
async def test_concurrent_workers_move_each_instance_once(
    store: Store, workers: int, selection: Selection
) -> None:
    queued = await a_queued_upgrade(store, 100, selection)
    several = [a_partition_worker(f"worker {number}", size=3, partition=7) for number in range(workers)]
    ends = await gather(*(finish_upgrade(store, queued, worker) for worker in several))
    assert {(upgrade.state, upgrade.upgraded, upgrade.skipped) for upgrade in ends} == {
        (UpgradeState.COMPLETED, 100, 0)
    }
    assert len({upgrade.finished_at for upgrade in ends}) == 1
    assert await kinds_of(store, queued.id) == {an_id(number): UPGRADED for number in range(100)}
    assert await instances_of(store, ORDERS) == instances(range(100), version=2)
    assert await leases_of(store, queued.id) == []


async def test_skips_are_counted_over_all_partitions(store: Store) -> None:
    held = [*instances(range(4)), *instances(range(4, 9), status=Status.RUNNING), *instances(range(9, 15))]
    await a_process(store, holding=held)
    queued = await request(store)
    for worker in (ONE, TWO):
        await taken(store, queued.id, worker)
    for worker in (TWO, ONE, TWO, ONE, ONE, TWO):
        await next_chunk(store, queued, worker)
    done = await work(store, queued.id)
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 10, 5)
    [counted] = (await store.upgrades.skip_decisions([queued.id]))[queued.id]
    assert counted.count == 5
    assert [reason.code for reason in counted.decision.reasons] == [ReasonCode.NOT_PENDING]


async def test_outcomes_by_ids_are_those_processed_so_far_in_any_partition(store: Store) -> None:
    numbers = [14, 3, 404, *range(4, 12), 0, 1, 2]
    queued = await a_queued_upgrade(store, 15, by_ids(map(an_id, numbers)))
    for worker in (ONE, TWO):
        await taken(store, queued.id, worker)
    for worker in (TWO, TWO, ONE):
        await next_chunk(store, queued, worker)
    outcomes = await outcomes_of(store, queued.id)
    reached = {outcome.instance for outcome in outcomes}
    assert len(outcomes) == len(reached) == 6
    assert [outcome.instance for outcome in outcomes] == [
        instance_id for instance_id in map(an_id, numbers) if instance_id in reached
    ]
    cancelled = await cancel_upgrade(store, queued.id, caller=ADMIN)
    assert cancelled.total == 6
    assert await outcomes_of(store, queued.id) == outcomes
    stored = await kinds_of(store, queued.id)
    moved = [instance.id for instance in await instances_of(store, ORDERS) if instance.version == 2]
    assert set(moved) == {instance_id for instance_id, kind in stored.items() if kind is OutcomeKind.UPGRADED}


async def test_the_outcomes_of_a_later_partition_are_pruned_from_its_start(store: Store) -> None:
    queued = await a_queued_upgrade(store, 12, by_ids(map(an_id, range(12))))
    for worker in (ONE, TWO):
        await taken(store, queued.id, worker)
    await next_chunk(store, queued, TWO)
    await cancel_upgrade(store, queued.id, caller=ADMIN, clock=a_clock())
    listed = await outcomes_of(store, queued.id)
    assert [outcome.instance for outcome in listed] == [an_id(6), an_id(7)]
    for gone in (1, 2):
        async with store.transaction() as transaction:
            [old] = await transaction.upgrades.lock_prunable(EVENING, 10)
            assert await old.prune_outcomes(1) == 1
        assert await outcomes_of(store, queued.id) == listed[gone:]


async def test_an_upgrade_without_workers_comes_first(store: Store) -> None:
    shared = await a_shared_upgrade(store)
    await a_process(store, INVOICES, holding=instances(range(20, 23), process=INVOICES))
    other = await request(store, process=INVOICES)
    # By the evening both leases have run out, and the older one comes first.
    assert await store.upgrades.claimable(EVENING) == await store.upgrades.find(shared.id)
    found = await claim(store, THREE)
    assert found is not None
    assert found.id == other.id
    found = await claim(store, a_partition_worker("four"))
    assert found is not None
    assert found.id == shared.id


async def test_a_worker_leaves_the_remaining_partitions_when_another_upgrade_waits(store: Store) -> None:
    shared = await a_shared_upgrade(store)
    await a_process(store, INVOICES, holding=instances(range(20, 23), process=INVOICES))
    waiting = await request(store, process=INVOICES)
    after = await run_upgrade(store, shared, ONE)
    assert (after.state, after.upgraded) == (UpgradeState.RUNNING, 6)
    assert await holders_of(store, after) == ["two", None]
    found = await claim(store, ONE)
    assert found is not None
    assert found.id == waiting.id


async def a_small_upgrade(store: Store) -> Upgrade:
    """An upgrade of another process, small enough for one partition."""
    await a_process(store, INVOICES, holding=instances(range(900, 903), process=INVOICES))
    return await request(store, process=INVOICES)


async def test_a_small_upgrade_waits_for_at_most_one_partition_of_a_large_one(store: Store) -> None:
    large = await a_queued_upgrade(store, 30)
    await taken(store, large.id, ONE)
    small = await a_small_upgrade(store)
    after = await run_upgrade(store, large, ONE)
    assert (after.state, after.upgraded) == (UpgradeState.RUNNING, 6)
    found = await claim(store, ONE)
    assert found is not None
    assert found.id == small.id
    assert (await run_upgrade(store, found, ONE)).state is UpgradeState.COMPLETED
    found = await claim(store, ONE)
    assert found is not None
    assert found.id == large.id
    assert (await run_upgrade(store, found, ONE)).upgraded == 30


async def test_a_dead_worker_is_replaced_before_a_younger_upgrade_starts(store: Store) -> None:
    clock = MovableClock()
    dead, other = (a_partition_worker(name, clock=clock) for name in ("dead", "other"))
    large = await a_queued_upgrade(store, 30)
    await work_and_die(store, large.id, dead, chunks=1)
    await a_small_upgrade(store)
    clock.advance(seconds=11)
    found = await claim(store, other)
    assert found is not None
    assert found.id == large.id


class StaleWorker(Around):
    """Between the first two chunks of a worker, another decides a cohort that the first has not met."""

    def __init__(self, store: Store, upgrade: Upgrade, other: Worker) -> None:
        super().__init__(store)
        self._upgrade = upgrade
        self._other = other
        self._chunks = 0

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[Transaction]:
        self._chunks += in_background
        if in_background and self._chunks == 2:
            await next_chunk(self._store, self._upgrade, self._other)
        async with self._store.transaction(in_background=in_background) as transaction:
            yield transaction


@pytest.mark.parametrize("what", ["upgrade", "undo"])
async def test_a_decision_that_another_worker_made_since_is_carried_out(store: Store, what: str) -> None:
    await a_process(store, holding=instances(range(12)))
    if what == "undo":
        done = await work(store, (await request(store)).id)
    first = [a_report(number, status=Status.RUNNING) for number in range(2)]
    await report_instances(store, reports=first, caller=ADMIN)
    requested = (
        await request(store)
        if what == "upgrade"
        else await request_undo(store, UndoRequest(upgrade_id=done.id), caller=ADMIN, worker=SMALL)
    )
    for worker in (ONE, TWO):
        await taken(store, requested.id, worker)
    await run_upgrade(StaleWorker(store, requested, TWO), requested, ONE)
    ended = await run_upgrade(store, requested, TWO)
    assert (ended.state, ended.upgraded, ended.skipped) == (UpgradeState.COMPLETED, 10, 2)


async def test_a_shared_upgrade_blocks_others_of_its_process(store: Store) -> None:
    shared = await a_shared_upgrade(store)
    second = await request(store)
    assert await claim(store, THREE, only=second.id) is None
    await run_upgrade(store, shared, ONE)
    assert await claim(store, THREE, only=second.id) is None
    await run_upgrade(store, shared, TWO)
    found = await claim(store, THREE)
    assert found is not None
    assert found.id == second.id


async def test_only_the_partition_of_the_dead_worker_is_taken_over(store: Store) -> None:
    clock = MovableClock()
    dead, alive, third = (a_partition_worker(name, clock=clock) for name in ("dead", "alive", "third"))
    queued = await a_queued_upgrade(store, 12)
    await work_and_die(store, queued.id, dead, chunks=1)
    clock.advance(seconds=8)
    await work_and_die(store, queued.id, alive, chunks=1)
    assert await claim(store, third) is None
    clock.advance(seconds=3)
    await taken(store, queued.id, third)
    assert await holders_of(store, queued) == ["third", "alive"]
    before = await everything_in(store)
    [after] = before.upgrades
    assert await run_upgrade(store, queued, dead) == after
    assert await everything_in(store) == before
    assert (await run_upgrade(store, queued, third)).upgraded == 8
    done = await run_upgrade(store, queued, alive)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 12)
    assert await kinds_of(store, queued.id) == {an_id(number): UPGRADED for number in range(12)}


async def test_a_worker_that_has_not_joined_others_ends_the_upgrade_when_they_are_dead(store: Store) -> None:
    clock = MovableClock()
    first, second = (a_partition_worker(name, clock=clock) for name in ("first", "second"))
    third = replace(a_partition_worker("third", clock=clock), join_policy=JoinPolicy(unmeasured=2))
    queued = await a_queued_upgrade(store, 20)
    for worker in (first, second):
        await work_and_die(store, queued.id, worker, chunks=1)
    assert await claim(store, third) is None
    assert await holders_of(store, queued) == ["first", "second", None]
    clock.advance(seconds=11)
    done = await finish_upgrade(store, queued, third)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 20)
    assert await kinds_of(store, queued.id) == {an_id(number): UPGRADED for number in range(20)}


async def test_the_rest_of_the_partition_of_a_dead_worker_is_free(store: Store) -> None:
    queued = await a_queued_upgrade(store, 12)
    dead = a_worker("dead", size=2)
    await work_and_die(store, queued.id, dead, chunks=1)
    await taken(store, queued.id, a_partition_worker("third", clock=a_clock(EVENING)))
    assert await holders_of(store, queued) == ["third", None]
    before = await everything_in(store)
    [after] = before.upgrades
    assert await run_upgrade(store, queued, dead) == after
    assert await everything_in(store) == before


async def test_an_upgrade_is_queued_when_the_last_worker_gives_it_back(store: Store) -> None:
    shared = await a_shared_upgrade(store)
    first = await run_upgrade(store, shared, ONE, should_stop=stopping_after(1))
    assert (first.state, first.upgraded) == (UpgradeState.RUNNING, 2)
    assert await holders_of(store, shared) == [None, "two", None]
    second = await run_upgrade(store, shared, TWO, should_stop=stopping_after(1))
    assert (second.state, second.upgraded) == (UpgradeState.QUEUED, 4)
    assert await holders_of(store, shared) == [None, None, None]
    done = await finish_upgrade(store, second, THREE)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 15)
    assert await kinds_of(store, shared.id) == {an_id(number): UPGRADED for number in range(15)}


async def test_a_released_upgrade_stays_running_while_a_dead_worker_has_a_lease(store: Store) -> None:
    clock = MovableClock()
    dead, alive = (a_partition_worker(name, clock=clock) for name in ("dead", "alive"))
    queued = await a_queued_upgrade(store, 12)
    for worker in (dead, alive):
        await taken(store, queued.id, worker)
    clock.advance(seconds=8)
    await next_chunk(store, queued, alive)
    clock.advance(seconds=3)
    after = await run_upgrade(store, queued, alive, should_stop=lambda: True)
    assert (after.state, after.upgraded) == (UpgradeState.RUNNING, 2)
    assert await holders_of(store, after) == ["dead", None]
    third = a_partition_worker("third", clock=clock)
    for _ in range(2):
        assert await claim(store, third) == after
    assert await holders_of(store, after) == ["third", "third"]


async def test_all_workers_leave_a_paused_upgrade_and_any_resumes_it(store: Store) -> None:
    shared = await a_shared_upgrade(store)
    for worker in (ONE, TWO):
        await next_chunk(store, shared, worker)
    paused = await pause_upgrade(store, shared.id, caller=ADMIN)
    before = await everything_in(store)
    for worker in (ONE, TWO):
        assert await run_upgrade(store, shared, worker) == paused
        assert await claim(store, worker) is None
    assert await everything_in(store) == before
    assert await holders_of(store, shared) == [None, None, None]
    await resume_upgrade(store, shared.id, caller=ADMIN)
    done = await finish_upgrade(store, shared, THREE)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 15)
    assert await kinds_of(store, shared.id) == {an_id(number): UPGRADED for number in range(15)}


async def test_a_pause_takes_all_leases_for_good(store: Store) -> None:
    shared = await a_shared_upgrade(store, 12)
    await pause_upgrade(store, shared.id, caller=ADMIN)
    await resume_upgrade(store, shared.id, caller=ADMIN)
    await taken(store, shared.id, THREE)
    assert await holders_of(store, shared) == ["three", None]
    before = await store.upgrades.find(shared.id)
    for worker in (ONE, TWO):
        assert await run_upgrade(store, shared, worker) == before


async def cancel(store: Store, shared: Upgrade) -> Upgrade:
    return await cancel_upgrade(store, shared.id, caller=ADMIN, clock=a_clock(EVENING))


async def let_fail(store: Store, shared: Upgrade) -> Upgrade:
    failed = await fail_upgrade(store, shared, ONE, "RuntimeError: on purpose")
    assert failed is not None
    return failed


@pytest.mark.parametrize("stop", [cancel, let_fail])
async def test_all_workers_leave_an_upgrade_that_ended(store: Store, stop: Stop) -> None:
    shared = await a_shared_upgrade(store)
    await next_chunk(store, shared, TWO)
    ended = await stop(store, shared)
    assert ended.is_finished
    before = await everything_in(store)
    for worker in (ONE, TWO):
        assert await run_upgrade(store, shared, worker) == ended
        assert await run_upgrade(store, shared, worker, should_stop=lambda: True) == ended
    assert await everything_in(store) == before
    assert await holders_of(store, shared) == [None, None, None]
    assert await claim(store, THREE) is None
    assert await kinds_of(store, shared.id) == {an_id(6): UPGRADED, an_id(7): UPGRADED}


async def test_the_holder_of_a_partition_knows_how_many_workers_there_are(store: Store) -> None:
    shared = await a_shared_upgrade(store)
    async with store.transaction() as transaction:
        held = await transaction.partitions.lock_held(shared.id, "two", NOON)
        assert held is not None
        assert (held.workers, held.upgrade.id) == (2, shared.id)
        assert held.partition.lease is not None
        assert held.partition.lease.worker == "two"
        late = await transaction.partitions.lock_held(shared.id, "two", EVENING)
        assert late is not None
        assert (late.workers, late.partition) == (1, held.partition)
        assert await transaction.partitions.lock_held(shared.id, "three", NOON) is None
        assert await transaction.partitions.lock_held(UpgradeId(an_id(1)), "two", NOON) is None


async def test_the_last_chunk_of_a_partition_does_not_change_the_chunk_size(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = await a_queued_upgrade(store, 32)
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)  # chunks take no time, so each is larger
    sizes: list[int] = []
    chunk_policy = ChunkPolicy(
        inline_limit=1, initial_size=2, min_size=1, pause=timedelta(), partition_size=12
    )
    worker = replace(ONE, chunk_policy=chunk_policy, on_chunk=lambda done, _: sizes.append(done.upgraded))
    done = await work(store, queued.id, worker)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 32)
    assert sizes == [2, 3, 4, 3, 6, 6, 8]


async def test_time_that_several_workers_run_concurrently_counts_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = await a_shared_upgrade(store)
    seconds = iter(range(1_000))
    monkeypatch.setattr("time.perf_counter", lambda: next(seconds))
    both = await next_chunk(store, shared, ONE)
    await run_upgrade(store, shared, TWO, should_stop=lambda: True)
    alone = await next_chunk(store, shared, ONE)
    assert both.worked > timedelta()
    assert alone.worked - both.worked == 2 * both.worked
