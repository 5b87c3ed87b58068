"""A transaction sees what other programs changed since the read before it."""

from asyncio import Task, create_task, ensure_future, sleep, timeout
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

import pytest

from tests.support.stores import CountingTransactions, Overlay
from uplift.domain import (
    InstanceId,
    ReasonCode,
    Upgrade,
    UpgradeId,
    UpgradeState,
    Worker,
    all_active,
    cancel_upgrade,
    claim,
    pause_upgrade,
    request_retry,
    request_undo,
    request_upgrade,
    run_upgrade,
    watch,
)
from uplift.domain.errors import InvalidInput
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.ports import Store, Transaction
from uplift.domain.use_cases import prune as pruning
from uplift.domain.use_cases.prune import prune_outcomes
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.domain.use_cases.watch import wait_until_finished
from uplift.domain.use_cases.worker import fail_upgrade
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import (
    ADMIN,
    EVENING,
    INVOICES,
    NOON,
    ORDERS,
    a_clock,
    a_process,
    a_report,
    a_worker,
    an_id,
    instances,
)
from uplift.testing.stores import Around, instances_of, outcomes_of, upgrades_of
from uplift.testing.upgrade_work import SMALL, leases_of, request, taken, work

pytestmark = pytest.mark.anyio

Result = TypeVar("Result")


class ConcurrentWriter:
    """Lets other tasks read the store as it is, and write only after this transaction."""

    def __init__(self, transaction: Transaction) -> None:
        self.transaction = transaction

    async def begin(self, act: Coroutine[Any, Any, Result]) -> Task[Result]:
        """Start an operation, and return when it waits for the transaction."""
        task = create_task(act)
        for _ in range(10):
            await sleep(0)
        assert not task.done()
        return task


@asynccontextmanager
async def writing(store: InMemoryStore) -> AsyncIterator[ConcurrentWriter]:
    async with store.transaction() as transaction:
        yield ConcurrentWriter(transaction)


def retry(store: Store, earlier: Upgrade) -> Coroutine[Any, Any, Upgrade]:
    reasons = frozenset({ReasonCode.NOT_PENDING})
    return request_retry(
        store, RetryRequest(upgrade_id=earlier.id, reasons=reasons), caller=ADMIN, worker=SMALL
    )


def undo(store: Store, earlier: Upgrade) -> Coroutine[Any, Any, Upgrade]:
    return request_undo(store, UndoRequest(upgrade_id=earlier.id), caller=ADMIN, worker=SMALL)


async def test_instances_registered_after_the_count_are_left_to_a_worker(store: InMemoryStore) -> None:
    await a_process(store, holding=instances(range(2)))
    progress: list[Upgrade] = []
    worker = replace(SMALL, on_chunk=lambda done, _: progress.append(done.upgrade))
    async with writing(store) as writer:
        task = await writer.begin(request(store, worker=worker))
        await writer.transaction.instances.register(ORDERS, instances(range(2, 9)))
    queued = await task
    # The inline chunk has the two instances of the count, and the one that shows that more follow.
    assert (queued.state, queued.upgraded) == (UpgradeState.QUEUED, 3)
    assert progress == [queued]
    assert await store.upgrades.find(queued.id) == queued
    assert await leases_of(store, queued.id) == [None]
    assert [instance.version for instance in await instances_of(store, ORDERS)] == [2] * 3 + [1] * 6
    done = await work(store, queued.id)
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 9, 0)


async def test_a_key_used_after_the_first_read_returns_the_first_upgrade(store: InMemoryStore) -> None:
    await a_process(store, holding=instances(range(2)))
    async with writing(store) as writer:
        first, second = [await writer.begin(request(store, idempotency_key="one")) for _ in range(2)]
    assert await first == await second
    assert await upgrades_of(store) == [await first]


async def test_an_upgrade_claimed_after_the_first_read_is_not_claimed_again(store: InMemoryStore) -> None:
    await a_process(store, holding=instances(range(3)))
    queued = await request(store)
    async with writing(store) as writer:
        first, second = [await writer.begin(claim(store, a_worker(name))) for name in ("one", "two")]
    taken_by_one = await first
    assert taken_by_one is not None
    assert (taken_by_one.id, await second) == (queued.id, None)


async def test_a_claim_that_finds_nothing_waits_for_no_writer(store: InMemoryStore) -> None:
    await a_process(store, holding=instances(range(3)))
    paused = await pause_upgrade(store, (await request(store)).id, caller=ADMIN)
    await request(store)
    async with writing(store), timeout(5):
        assert await claim(store, SMALL, only=paused.id) is None


async def test_an_upgrade_that_was_paused_before_the_chunk_is_left(store: InMemoryStore) -> None:
    await a_process(store, holding=instances(range(3)))
    queued = await request(store)
    claimed = await taken(store, queued.id)
    paused = await pause_upgrade(store, queued.id, caller=ADMIN)
    progress: list[Upgrade] = []
    assert await run_upgrade(store, claimed, SMALL, on_progress=progress.append) == paused
    assert progress == [paused]
    assert await instances_of(store, ORDERS) == instances(range(3))


async def test_a_worker_that_lost_an_upgrade_does_not_let_it_fail(store: InMemoryStore) -> None:
    await a_process(store, holding=instances(range(3)))
    queued = await request(store)
    claimed = await taken(store, queued.id)
    later = Worker(name="other", clock=a_clock(EVENING))
    theirs = await taken(store, queued.id, later)
    assert await fail_upgrade(store, claimed, SMALL, "RuntimeError: on purpose") is None
    assert await store.upgrades.find(queued.id) == theirs
    assert (theirs.state, theirs.error) == (UpgradeState.RUNNING, None)


@pytest.mark.parametrize(("what", "follow"), [("retry", retry), ("undo", undo)])
async def test_an_upgrade_pruned_after_the_first_read_is_not_retried_or_undone(
    store: InMemoryStore, what: str, follow: Callable[[Store, Upgrade], Coroutine[Any, Any, Upgrade]]
) -> None:
    await a_process(store, holding=instances(range(2)))
    done = await request(store)
    async with writing(store) as writer:
        following = await writer.begin(follow(store, done))
        locked = await writer.transaction.upgrades.lock(done.id)
        assert locked is not None
        await locked.save(replace(done, pruned_at=EVENING))
    with pytest.raises(InvalidInput, match=f"Expected to {what} upgrade {done.id}, but its outcomes were"):
        await following


async def test_a_watch_yields_nothing_while_nothing_changes(store: InMemoryStore) -> None:
    await a_process(store, holding=instances(range(3)))
    queued = await request(store)
    watching = watch(store, queued.id, interval=0.001)
    assert await anext(watching) == queued
    event = ensure_future(anext(watching))
    for _ in range(3):
        # Each of these notifies the watch, and ends before its next read.
        async with store.transaction() as transaction:
            await transaction.instances.report(ORDERS, [a_report(1)])
        await sleep(0.003)
        assert not event.done()
    paused = await pause_upgrade(store, queued.id, caller=ADMIN)
    assert await event == paused


class Mute(Around):
    """A store in which only other programs write, so that it never notifies."""

    async def wait_for_change(self, seconds: float) -> None:
        await sleep(seconds)


async def test_changes_of_another_program_are_found_by_polling(store: InMemoryStore) -> None:
    await a_process(store, holding=instances(range(3)))
    queued = await request(store)
    mute = Mute(store)
    async with timeout(30):
        watching = watch(mute, queued.id, interval=0.001)
        assert await anext(watching) == queued
        event = ensure_future(anext(watching))
        await sleep(0.003)  # it reads in between, and finds nothing new
        assert not event.done()
        paused = await pause_upgrade(store, queued.id, caller=ADMIN)
        assert await event == paused
        end = create_task(wait_until_finished(mute, paused))
        await sleep(0)
        cancelled = await cancel_upgrade(store, queued.id, caller=ADMIN, clock=a_clock(EVENING))
        assert await end == cancelled


async def test_pruning_lets_others_write_between_its_steps(
    store: InMemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "OUTCOMES_PER_TRANSACTION", 3)
    await a_process(store, holding=instances(range(2)))
    large = a_worker(size=1_000)
    done = [
        await request_upgrade(
            store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN, worker=large
        )
        for _ in range(3)
    ]
    remaining: list[list[list[InstanceId]]] = []
    marked: list[list[bool]] = []
    async with writing(store) as writer:
        task = await writer.begin(prune_outcomes(store, before=EVENING, clock=a_clock(NOON)))
    # The lock is fair: a waiting task gets it between two transactions.
    while not task.done():
        async with store.transaction():
            remaining.append(
                [[outcome.instance for outcome in await outcomes_of(store, upgrade.id)] for upgrade in done]
            )
            marked.append([upgrade.pruned_at is not None for upgrade in reversed(await upgrades_of(store))])
    assert await task == 6
    both = [an_id(0), an_id(1)]
    assert remaining[:2] == [[[], [an_id(1)], both], [[], [], []]]
    assert marked[:2] == [[True, True, False], [True, True, True]]


async def test_pruning_marks_so_many_upgrades_in_one_step(
    store: InMemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "UPGRADES_PER_TRANSACTION", 2)
    await a_process(store)
    for _ in range(3):
        await request(store)
    counting = CountingTransactions(store)
    assert await prune_outcomes(counting, before=EVENING, clock=a_clock(EVENING)) == 0
    assert counting.calls["upgrades.lock_prunable"] == 3
    # One more, for the positions that nobody has any more.
    assert counting.in_background == [True] * 4


class RequestedAfterTheRead(Around):
    """Requests an upgrade with a higher priority after the first read of the worker."""

    other: Upgrade | None = None

    @property
    def upgrades(self) -> Overlay:
        return Overlay(self._store.upgrades, claimable=self._claimable)

    async def _claimable(
        self, now: datetime, *, only: UpgradeId | None = None, passing_over: Collection[UpgradeId] = ()
    ) -> Upgrade | None:
        found = await self._store.upgrades.claimable(now, only=only, passing_over=passing_over)
        self.other = self.other or await request(self._store, process=INVOICES)
        return found


async def test_a_worker_claims_partitions_of_its_own_upgrade_only(store: InMemoryStore) -> None:
    await a_process(store, holding=instances(range(6)))
    await a_process(store, INVOICES, holding=instances(range(6, 9), process=INVOICES))
    chunk_policy = replace(SMALL.chunk_policy, partition_size=2)
    first, second = (replace(SMALL, name=name, chunk_policy=chunk_policy) for name in ("one", "two"))
    shared = await request(store)
    for worker in (first, second):
        await taken(store, shared.id, worker)
    around = RequestedAfterTheRead(store)
    result = await run_upgrade(around, shared, first)
    assert (result.state, result.upgraded) == (UpgradeState.RUNNING, 4)
    assert await store.upgrades.claimable(NOON) == around.other


class DoneByOthers(Around):
    """Another worker ends the upgrade while this one looks for a partition, and no notification follows."""

    @property
    def upgrades(self) -> Overlay:
        return Overlay(self._store.upgrades, claimable=self._claimable)

    async def _claimable(
        self, now: datetime, *, only: UpgradeId | None = None, passing_over: Collection[UpgradeId] = ()
    ) -> Upgrade | None:
        assert only is not None
        await work(self._store, only)
        return await self._store.upgrades.claimable(now, only=only, passing_over=passing_over)

    async def wait_for_change(self, _: float) -> None:
        pytest.fail("Expected to look before waiting.")


async def test_a_worker_without_a_partition_reads_whether_the_upgrade_has_ended(store: InMemoryStore) -> None:
    await a_process(store, holding=instances(range(5)))
    queued = await request(store)
    progress: list[Upgrade] = []
    done = await finish_upgrade(DoneByOthers(store), queued, SMALL, on_progress=progress.append)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 5)
    assert progress == [done]
