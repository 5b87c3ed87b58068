"""Laws of stopping: whatever two workers do, nothing moves after the answer, and all figures are right."""

from asyncio import Event, create_task, gather
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stores import STORES, Stores
from uplift.domain import (
    OutcomeKind,
    Status,
    Upgrade,
    UpgradeState,
    Worker,
    cancel_upgrade,
    claim,
    pause_upgrade,
    resume_upgrade,
    run_upgrade,
)
from uplift.domain.errors import WrongState
from uplift.domain.ports import Store
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.domain.use_cases.worker import OnChunk, fail_upgrade
from uplift.testing.builders import ADMIN, a_process, a_worker, an_instance, at
from uplift.testing.stores import Everything, everything_in, outcomes_of, require_right_counts
from uplift.testing.upgrade_work import request

pytestmark = pytest.mark.anyio

NAMES = ("one", "two")
Stop = Callable[[Store, Upgrade, Worker], Awaitable[Upgrade | None]]


async def pause(store: Store, upgrade: Upgrade, _: Worker) -> Upgrade:
    return await pause_upgrade(store, upgrade.id, caller=ADMIN)


async def cancel(store: Store, upgrade: Upgrade, _: Worker) -> Upgrade:
    return await cancel_upgrade(store, upgrade.id, caller=ADMIN)


async def fail(store: Store, upgrade: Upgrade, worker: Worker) -> Upgrade | None:
    """None if the worker holds no partition any more."""
    return await fail_upgrade(store, upgrade, worker, "RuntimeError: on purpose")


async def require_right_figures(store: Store, upgrade: Upgrade) -> None:
    """Compare the figures of an upgrade with its outcomes, of which each instance has one."""
    outcomes = await outcomes_of(store, upgrade.id)
    assert len({outcome.instance for outcome in outcomes}) == len(outcomes)
    kinds = [outcome.kind for outcome in outcomes]
    assert (upgrade.upgraded, upgrade.skipped) == (
        kinds.count(OutcomeKind.UPGRADED),
        kinds.count(OutcomeKind.SKIPPED),
    )
    skips = (await store.upgrades.skip_decisions([upgrade.id]))[upgrade.id]
    known = [outcome for outcome in outcomes if outcome.reasons and outcome.from_version is not None]
    assert sum(skip.count for skip in skips) == len(known)
    await require_right_counts(store)


async def work_until_stopped(store: Store, upgrade: Upgrade, worker: Worker) -> None:
    while (claimed := await claim(store, worker, only=upgrade.id)) is not None:
        await run_upgrade(store, claimed, worker)


KINDS = st.tuples(st.sampled_from([Status.PENDING, Status.PENDING, Status.RUNNING]), st.sampled_from("abc"))


@pytest.mark.parametrize("kind", STORES)
@settings(max_examples=12)
@given(
    kinds=st.lists(KINDS, min_size=16, max_size=24),
    stop=st.sampled_from([pause, cancel, fail]),
    chunks=st.integers(0, 6),
    sizes=st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
async def test_nothing_moves_after_a_stop_is_answered(
    stores: Stores,
    kind: str,
    kinds: list[tuple[Status, str]],
    stop: Stop,
    chunks: int,
    sizes: tuple[int, int],
) -> None:
    held = [
        an_instance(number, status=status, position=at(element))
        for number, (status, element) in enumerate(kinds)
    ]
    done, enough = 0, Event()

    def count(_: object, __: object) -> None:
        nonlocal done
        done += 1
        if done >= chunks:
            enough.set()

    workers = [a_counting_worker(name, size, count) for name, size in zip(NAMES, sizes, strict=True)]
    async with stores.empty(kind) as store:
        await a_process(store, holding=held)
        upgrade = await request(store)

        async def stopped_and_seen() -> tuple[Upgrade | None, Everything] | None:
            await enough.wait()
            try:
                stopped = await stop(store, upgrade, workers[0])
            except WrongState:
                return None  # it had ended before
            return stopped, await everything_in(store)

        if not chunks:
            enough.set()
        stopping = create_task(stopped_and_seen())
        await gather(*(work_until_stopped(store, upgrade, worker) for worker in workers))
        answer = await stopping
        if answer is not None and answer[0] is not None:
            stopped, seen = answer
            assert await everything_in(store) == seen
            assert stopped in seen.upgrades
            await require_right_figures(store, stopped)
            if stopped.state is not UpgradeState.PAUSED:
                return
            await resume_upgrade(store, upgrade.id, caller=ADMIN)
        ended = await finish_upgrade(store, upgrade, a_worker("the last worker", size=2))
        assert (ended.state, ended.total) == (UpgradeState.COMPLETED, len(held))
        await require_right_figures(store, ended)


def a_counting_worker(name: str, size: int, count: OnChunk) -> Worker:
    """A worker whose partitions have four instances."""
    worker = a_worker(name, size=size)
    return replace(worker, chunk_policy=replace(worker.chunk_policy, partition_size=4), on_chunk=count)
