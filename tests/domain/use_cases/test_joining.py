"""A worker that joins others leaves again if the upgrade has not become faster."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import accumulate, repeat

import pytest

from uplift.domain import Tally, Trials, Upgrade, UpgradeState, Worker, claim, run_upgrade
from uplift.domain.model.upgrade import Partition
from uplift.domain.ports import Store
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import INVOICES, MovableClock, a_process, a_worker, instances
from uplift.testing.upgrade_work import Died, dying_after, request, stopping_after, taken

pytestmark = pytest.mark.anyio

COUNT = 400
RATE = 100
"""Outcomes per second of the first and the second worker together."""


class Program:
    """The workers of one program, which share an upgrade of 400 instances in partitions of 80."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = MovableClock()
        self.seconds = 0.0
        worker = a_worker(size=2, clock=self.clock)
        self._worker = replace(
            worker,
            chunk_policy=replace(worker.chunk_policy, partition_size=80),
            trials=Trials(lambda: self.seconds),
        )

    def worker(self, name: str) -> Worker:
        return replace(self._worker, name=name)

    async def begin(self) -> Upgrade:
        """The first two workers have a partition each, and have done 50 instances in all."""
        upgrade = await self.claimed_by("first", "second")
        for name in ("first", "second"):
            async with self.store.transaction() as transaction:
                held = await transaction.partitions.lock_held(upgrade.id, name, self.clock())
                assert held is not None
                tally = Tally(upgraded=RATE // 4, worked=timedelta(seconds=0.25))
                await held.save(replace(held.partition, tally=tally))
        return upgrade

    async def begin_trial(self) -> tuple[Upgrade, Worker]:
        """A third worker has joined the first two."""
        upgrade, third = await self.begin(), self.worker("third")
        return await taken(self.store, upgrade.id, third), third

    async def claimed_by(self, *names: str) -> Upgrade:
        """These workers have just claimed a partition each."""
        await a_process(self.store, holding=instances(range(COUNT)))
        upgrade = await request(self.store)
        for name in names:
            await taken(self.store, upgrade.id, self.worker(name))
        return upgrade

    async def begin_newer(self) -> Upgrade:
        """A newer upgrade of another process, in partitions of 80 as well."""
        holding = instances(range(COUNT, 2 * COUNT), process=INVOICES)
        await a_process(self.store, INVOICES, holding=holding)
        return await request(self.store, process=INVOICES)

    async def holders(self, upgrade: Upgrade) -> list[str | None]:
        partitions: tuple[Partition, ...] = (await self.store.partitions.remaining([upgrade.id]))[upgrade.id]
        return [None if found.lease is None else found.lease.worker for found in partitions]


@pytest.fixture
def program() -> Program:
    return Program(InMemoryStore())


@pytest.fixture
def chunks_take(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets how many seconds pass between two looks at the stopwatch, so how long each chunk takes."""

    def take(seconds: float) -> None:
        times: Iterator[float] = accumulate(repeat(seconds))
        monkeypatch.setattr("time.perf_counter", lambda: next(times))

    return take


SLOW, FAST = 0.06, 0.03
"""With chunks of two instances, three workers do 100 or 200 instances a second."""


async def test_a_third_worker_joins_if_the_upgrade_takes_long(program: Program) -> None:
    upgrade = await program.begin()
    assert await claim(program.store, program.worker("third")) is not None
    assert await program.holders(upgrade) == ["first", "second", "third", None]


async def test_a_third_worker_does_not_join_before_the_rate_is_known(program: Program) -> None:
    upgrade = await program.claimed_by("first", "second")
    assert await claim(program.store, program.worker("third")) is None
    assert await program.holders(upgrade) == ["first", "second", None]


async def test_it_leaves_if_the_upgrade_is_no_faster(
    program: Program, chunks_take: Callable[[float], None]
) -> None:
    upgrade, third = await program.begin_trial()
    chunks_take(SLOW)
    after = await run_upgrade(program.store, upgrade, third)
    assert after.state is UpgradeState.RUNNING
    assert 40 <= after.upgraded - upgrade.upgraded < 80
    assert await program.holders(upgrade) == ["first", "second", None, None]


async def test_after_it_left_none_joins_for_a_while(
    program: Program, chunks_take: Callable[[float], None]
) -> None:
    upgrade, third = await program.begin_trial()
    chunks_take(SLOW)
    await run_upgrade(program.store, upgrade, third)
    fourth = program.worker("fourth")
    assert await claim(program.store, fourth) is None
    program.clock.advance(seconds=9)
    assert await claim(program.store, fourth) is None
    program.clock.advance(seconds=2)
    # The leases of the first two have expired, so the fourth takes over.
    assert await claim(program.store, fourth) is not None
    assert (await program.holders(upgrade))[0] == "fourth"


async def test_it_stays_if_the_upgrade_is_faster(
    program: Program, chunks_take: Callable[[float], None]
) -> None:
    upgrade, third = await program.begin_trial()
    chunks_take(FAST)
    after = await run_upgrade(program.store, upgrade, third)
    assert after.upgraded - upgrade.upgraded == COUNT - 160
    assert await program.holders(upgrade) == ["first", "second"]


async def test_none_joins_during_the_trial_of_another(program: Program) -> None:
    upgrade = await program.begin()
    await taken(program.store, upgrade.id, program.worker("third"))
    assert await claim(program.store, program.worker("fourth")) is None


async def test_it_stays_if_another_worker_has_died(
    program: Program, chunks_take: Callable[[float], None]
) -> None:
    upgrade, third = await program.begin_trial()
    program.clock.advance(seconds=11)
    chunks_take(SLOW)
    after = await run_upgrade(program.store, upgrade, third)
    assert after.state is UpgradeState.COMPLETED


async def test_a_third_worker_does_not_join_when_the_others_have_just_claimed(program: Program) -> None:
    upgrade = await program.begin()
    for name in ("first", "second"):
        async with program.store.transaction() as transaction:
            held = await transaction.partitions.lock_held(upgrade.id, name, program.clock())
            assert held is not None
            await held.end()
        await taken(program.store, upgrade.id, program.worker(name))
    found = await program.store.upgrades.find(upgrade.id)
    assert found is not None
    assert (found.worked, found.upgraded) == (timedelta(seconds=0.5), RATE // 2)
    assert await claim(program.store, program.worker("third")) is None


async def test_a_worker_stays_when_it_may_not_join_an_older_upgrade(program: Program) -> None:
    older = await program.claimed_by("first", "second")
    newer = await program.begin_newer()
    await taken(program.store, newer.id, program.worker("fourth"))
    third = program.worker("third")
    claimed = await claim(program.store, third)
    assert claimed is not None
    assert claimed.id == newer.id
    after = await run_upgrade(program.store, claimed, third)
    assert after.upgraded == COUNT - 80
    assert await program.holders(older) == ["first", "second", None]


async def test_a_worker_leaves_for_an_older_upgrade_that_it_may_join(program: Program) -> None:
    await program.claimed_by("first")
    newer, third = await program.begin_newer(), program.worker("third")
    await taken(program.store, newer.id, program.worker("fourth"))
    claimed = await taken(program.store, newer.id, third)
    assert (await run_upgrade(program.store, claimed, third)).upgraded == 80


@pytest.mark.parametrize("leaves", ["stopped", "died", "lost lease", "another upgrade"])
async def test_a_trial_without_a_result_does_not_keep_others_from_joining(
    program: Program, leaves: str
) -> None:
    upgrade, third = await program.begin_trial()
    assert third.trials.find(upgrade.id, "third") is not None
    if leaves == "stopped":
        await run_upgrade(program.store, upgrade, third, should_stop=stopping_after(1))
    elif leaves == "died":
        with pytest.raises(Died):
            await run_upgrade(program.store, upgrade, third, on_progress=dying_after(1))
    elif leaves == "lost lease":
        async with program.store.transaction() as transaction:
            held = await transaction.partitions.lock_held(upgrade.id, "third", program.clock())
            assert held is not None
            await held.save(replace(held.partition, lease=None))
        await run_upgrade(program.store, upgrade, third)
    else:
        await program.begin_newer()
        after = await run_upgrade(program.store, upgrade, third)
        assert after.upgraded - upgrade.upgraded == 80
    assert third.trials.find(upgrade.id, "third") is None
    assert not third.trials.forbids(upgrade.id, others=2)


async def test_a_trial_longer_than_the_time_after_a_failed_one_still_ends(
    program: Program, chunks_take: Callable[[float], None]
) -> None:
    upgrade, third = await program.begin_trial()
    program.seconds = 31
    assert await claim(program.store, program.worker("fourth")) is None
    chunks_take(SLOW)
    await run_upgrade(program.store, upgrade, third)
    assert await program.holders(upgrade) == ["first", "second", None, None]


async def test_a_clock_set_back_keeps_nobody_from_joining(
    program: Program, chunks_take: Callable[[float], None]
) -> None:
    upgrade, third = await program.begin_trial()
    chunks_take(SLOW)
    await run_upgrade(program.store, upgrade, third)
    program.clock.advance(hours=-1)
    program.seconds = 31
    assert await claim(program.store, program.worker("fourth")) is not None
