"""The results, progress and errors of an upgrade from beginning to end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.stores import CountingTransactions, Overlay, overlay
from uplift.domain import (
    Upgrade,
    UpgradeId,
    UpgradeState,
    all_active,
    by_ids,
    claim,
    request_upgrade,
    upgrade_instances,
)
from uplift.domain.errors import ErrorCode
from uplift.domain.model.chunk import INLINE_LIMIT, ChunkPolicy
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import MAX_REASON_LENGTH
from uplift.domain.ports import HeldPartition, Store, Transaction
from uplift.domain.use_cases.run import require_complete
from uplift.domain.use_cases.upgrade import finish_upgrade
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    NOON,
    ORDERS,
    READER,
    UNKNOWN_PROCESS,
    MovableClock,
    a_process,
    a_worker,
    an_id,
    instances,
)
from uplift.testing.refusals import refused
from uplift.testing.stores import Around

pytestmark = pytest.mark.anyio


async def test_a_finished_upgrade_records_caller_request_times_and_reason(store: Store) -> None:
    await a_process(store, holding=instances([1, 2]))
    done = await upgrade_instances(
        store,
        UpgradeRequest(process=ORDERS, selection=by_ids([an_id(1), an_id(5)]), reason="a new law"),
        caller=ADMIN,
        worker=a_worker(),
    )
    assert done == Upgrade(
        id=done.id,
        process=ORDERS,
        selection=SelectionKind.BY_IDS,
        target_version=done.target_version,
        state=UpgradeState.COMPLETED,
        requested_by="admin",
        reason="a new law",
        requested_at=NOON,
        started_at=NOON,
        finished_at=NOON,
        expected=2,
        named_ids=2,
        worked=done.worked,
        upgraded=1,
        skipped=1,
    )
    assert (done.target_version, done.total) == (2, 2)


async def test_two_upgrades_have_two_ids(store: Store) -> None:
    await a_process(store)
    done = [
        await upgrade_instances(store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN)
        for _ in range(2)
    ]
    assert done[0].id != done[1].id


async def test_progress_is_reported_after_each_chunk(store: Store) -> None:
    await a_process(store, holding=instances(range(5)))
    progress: list[Upgrade] = []
    done = await upgrade_instances(
        store,
        UpgradeRequest(process=ORDERS, selection=by_ids(map(an_id, range(5)))),
        caller=ADMIN,
        worker=a_worker(size=2),
        on_progress=progress.append,
    )
    assert [(upgrade.upgraded, upgrade.state) for upgrade in progress] == [
        (0, UpgradeState.QUEUED),
        (2, UpgradeState.RUNNING),
        (4, UpgradeState.RUNNING),
        (5, UpgradeState.COMPLETED),
    ]
    assert progress[-1] == done


async def test_runs_only_the_requested_upgrade_to_its_end(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    await a_process(store, INVOICES, holding=instances(range(3, 6), process=INVOICES))
    worker = a_worker(size=2)
    older = await request_upgrade(
        store, UpgradeRequest(process=INVOICES, selection=all_active()), caller=ADMIN, worker=worker
    )
    done = await upgrade_instances(
        store,
        UpgradeRequest(process=ORDERS, selection=all_active(), idempotency_key="one"),
        caller=ADMIN,
        worker=worker,
    )
    assert (done.process, done.upgraded, done.state) == (ORDERS, 3, UpgradeState.COMPLETED)
    assert await store.upgrades.find(older.id) == older
    again = await upgrade_instances(
        store,
        UpgradeRequest(process=ORDERS, selection=all_active(), idempotency_key="one"),
        caller=ADMIN,
        worker=worker,
    )
    assert again == done


class ListeningForNames(Around):
    """Records the names under which partitions are claimed."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.names: set[str] = set()

    @asynccontextmanager
    async def transaction(self, *, in_background: bool = False) -> AsyncIterator[Transaction]:
        async with self._store.transaction(in_background=in_background) as transaction:

            async def lock_held(upgrade_id: UpgradeId, worker: str, now: datetime) -> HeldPartition | None:
                self.names.add(worker)
                return await transaction.partitions.lock_held(upgrade_id, worker, now)

            yield overlay(transaction, partitions=Overlay(transaction.partitions, lock_held=lock_held))


async def test_each_call_works_under_a_name_of_its_own(store: Store) -> None:
    await a_process(store, holding=instances(range(INLINE_LIMIT + 1)))
    listening = ListeningForNames(store)
    for _ in range(2):
        await upgrade_instances(
            listening, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN
        )
    names = listening.names
    assert len(names) == 2
    assert all(name.startswith("in-process:") for name in names)


async def test_a_waiting_caller_claims_an_upgrade_whose_worker_died(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    clock = MovableClock()
    gone, waiting = (a_worker(name, size=2, clock=clock) for name in ("gone", "waiting"))
    requested = await request_upgrade(
        store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN, worker=gone
    )
    assert await claim(store, gone) is not None
    end = asyncio.create_task(finish_upgrade(store, requested, waiting))
    await asyncio.sleep(0)
    # No notification comes while the lease expires, so the waiting worker must poll.
    clock.advance(minutes=1)
    async with asyncio.timeout(30):
        assert (await end).upgraded == 3


async def test_chunks_read_only_the_decisions_that_they_lack(store: Store) -> None:
    """Nearly all instances are in cohorts of an earlier chunk, which cost no further query."""
    await a_process(store, holding=instances(range(8)))
    counting = CountingTransactions(store)
    done = await upgrade_instances(
        counting,
        UpgradeRequest(process=ORDERS, selection=all_active()),
        caller=ADMIN,
        worker=a_worker(size=2),
    )
    assert done.upgraded == 8
    names = ("chunks.record_and_move", "chunks.decisions", "chunks.move_rest")
    requested = [counting.calls[name] for name in names]
    # The decisions of others are read at the beginning.
    assert requested == [4, 1, 1]
    # The request and the claim come first; chunks run in the background, and the end of the partition.
    assert counting.in_background == [False, False, True, True, True, True, True]


async def test_the_time_of_work_is_the_time_it_took(store: Store) -> None:
    await a_process(store, holding=instances(range(5)))
    took: list[timedelta] = []
    worker = replace(a_worker(size=2), on_chunk=lambda _, time: took.append(time))
    began = time.perf_counter()
    for selection in (all_active(), by_ids([an_id(1)])):
        done = await upgrade_instances(
            store, UpgradeRequest(process=ORDERS, selection=selection), caller=ADMIN, worker=worker
        )
        assert timedelta() < done.worked <= sum(took, timedelta())
        passed = timedelta(seconds=time.perf_counter() - began)
        assert sum(took, timedelta()) <= passed


async def test_an_upgrade_of_an_unknown_process_is_refused(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    message = "Expected to find process 'crm/nothing_like_it', but there is none."
    async with refused(store, ErrorCode.PROCESS_NOT_FOUND, message):
        await upgrade_instances(
            store, UpgradeRequest(process=UNKNOWN_PROCESS, selection=all_active()), caller=ADMIN
        )


@pytest.mark.parametrize("draft", [False, True])
async def test_an_upgrade_without_a_published_version_is_refused(store: Store, draft: bool) -> None:
    await a_process(store, published=0, draft=draft)
    message = (
        "Expected to upgrade to the latest published version of process 'crm/orders', "
        "but it has no published version."
    )
    async with refused(store, ErrorCode.NO_PUBLISHED_VERSION, message):
        await upgrade_instances(store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=ADMIN)


async def test_a_reader_upgrades_nothing(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    async with refused(store, ErrorCode.FORBIDDEN):
        await upgrade_instances(store, UpgradeRequest(process=ORDERS, selection=all_active()), caller=READER)


async def test_a_reader_learns_nothing_of_processes_by_asking(store: Store) -> None:
    async with refused(store, ErrorCode.FORBIDDEN):
        await upgrade_instances(
            store, UpgradeRequest(process=UNKNOWN_PROCESS, selection=all_active()), caller=READER
        )


async def test_the_longest_reason_is_kept(store: Store) -> None:
    await a_process(store)
    reason = "\N{GRINNING FACE}" * MAX_REASON_LENGTH
    done = await upgrade_instances(
        store, UpgradeRequest(process=ORDERS, selection=all_active(), reason=reason), caller=ADMIN
    )
    assert done.reason == reason


FIRST_HALF, LAST_HALF = "\ud800", "\udfff"
"""The first and the last half of a surrogate pair."""


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("r" * 1_001, "Expected reason to be at most 1,000 characters, but got 1,001."),
        (f"a{FIRST_HALF}b", "Expected reason to be text, but it holds a NUL or half of a surrogate pair."),
        (f"a{LAST_HALF}b", "Expected reason to be text, but it holds a NUL or half of a surrogate pair."),
        ("a\0b", "Expected reason to be text, but it holds a NUL or half of a surrogate pair."),
    ],
    ids=["long", "first surrogate", "last surrogate", "nul"],
)
async def test_a_reason_that_cannot_be_kept_is_refused(store: Store, reason: str, message: str) -> None:
    await a_process(store, holding=instances([1]))
    async with refused(store, ErrorCode.INVALID_INPUT, message, ("reason",)):
        await upgrade_instances(
            store, UpgradeRequest(process=ORDERS, selection=all_active(), reason=reason), caller=ADMIN
        )


@pytest.mark.parametrize(
    "sizes",
    [
        {"inline_limit": 0},
        {"initial_size": 0},
        {"min_size": 0},
        {"min_size": -1, "max_size": -1},
        {"min_size": 9, "max_size": 8},
    ],
    ids=str,
)
def test_refuses_chunks_of_no_instances(sizes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Expected chunks of at least one instance"):
        ChunkPolicy(**sizes)


def test_refuses_partitions_of_no_instances() -> None:
    assert ChunkPolicy(partition_size=1).partition_size == 1
    with pytest.raises(ValueError, match="Expected partitions of at least one instance"):
        ChunkPolicy(partition_size=0)


def test_refuses_a_chunk_whose_moves_differ_from_its_record() -> None:
    require_complete(recorded=3, moved=2, skipped=1)
    with pytest.raises(
        RuntimeError, match="Expected each of the 3 recorded instances to be moved, ordered or skipped"
    ):
        require_complete(recorded=3, moved=1, skipped=1)
