"""Upgrades in buckets: each chunk touches one of them, and the answers are those of one server."""

import json
import re
from asyncio import gather
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from tests.domain.laws.test_plan_laws import World, populated, worlds
from tests.storage.recording import SentStatement, statements_on
from tests.support.long_mode import IS_LONG
from tests.support.stores import Stores
from uplift.domain import (
    Upgrade,
    UpgradeState,
    Worker,
    all_active,
    by_ids,
    claim,
    get_upgrade,
    pause_upgrade,
    prune_outcomes,
    request_retry,
    request_undo,
    resume_upgrade,
    run_upgrade,
)
from uplift.domain.errors import InvalidInput, UpliftError
from uplift.domain.model.request import RetryRequest, UndoRequest, UpgradeRequest
from uplift.domain.model.selection import Selection
from uplift.domain.ports import Store
from uplift.domain.use_cases.request import RETRIABLE_REASONS, request_upgrade
from uplift.domain.use_cases.run import run_chunk
from uplift.storage.count_check import find_count_differences, repair_counts
from uplift.storage.in_buckets.counts import fold_all
from uplift.storage.sql.buckets import BUCKETED, bucket_of_key
from uplift.storage.sql.surrogate_keys import MAX_BOUND
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, EVENING, ORDERS, a_process, a_worker, an_id, ids_of, instances
from uplift.testing.linked_work import a_link
from uplift.testing.stores import instances_of, outcomes_of
from uplift.testing.upgrade_work import request, work, work_and_die

pytestmark = pytest.mark.anyio

SMALL = a_worker(size=5)
SHARD = re.compile(rf"({'|'.join(BUCKETED)})_(\d+)")
EXAMPLES = 200 if IS_LONG else 4
SELECTIONS = {
    "all active": all_active(),
    "but some": all_active(map(an_id, range(0, 200, 3))),
    "by ids": by_ids(map(an_id, (*range(150), 900))),
}


def shards_in(plan: Any) -> Iterator[str]:
    """The hash partition of each scan of a plan."""
    if isinstance(plan, list):
        for step in plan:
            yield from shards_in(step)
    if isinstance(plan, dict):
        if (shard := SHARD.fullmatch(plan.get("Relation Name", ""))) is not None:
            yield shard[2]
        for step in plan.values():
            yield from shards_in(step)


async def shards_of(store: SqlStore, sent: SentStatement) -> set[str]:
    """The hash partitions that PostgreSQL would read or write for a statement."""
    async with store.database.reading() as connection:
        found = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sent.sql}", tuple(sent.values))
        plan = found.scalar_one()
    return set(shards_in(json.loads(plan) if isinstance(plan, str) else plan))


async def one_chunk(store: Store, upgrade: Upgrade) -> None:
    async with store.transaction() as transaction:
        held = await transaction.partitions.lock_held(upgrade.id, SMALL.name, SMALL.clock())
        assert held is not None
        await run_chunk(transaction, held, 5, SMALL, {}, {})


@pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)
async def test_each_statement_of_a_chunk_touches_one_partition(store: SqlStore, selection: Selection) -> None:
    await a_process(store, holding=instances(range(200)))
    queued = await request(store, selection, worker=SMALL)
    assert await claim(store, SMALL) is not None
    await one_chunk(store, queued)
    async with store.database.writing() as connection:
        with statements_on(connection) as sent:
            await one_chunk(store, queued)
    shards = [await shards_of(store, statement) for statement in sent]
    named = [found for found in shards if found]
    assert len(named) >= 5, "lock, record, count, move, save"
    assert len(set().union(*named)) == 1


async def test_a_queued_upgrade_has_a_partition_in_each_bucket(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(200)))
    queued = await request(store, worker=SMALL)
    [partitions] = (await store.partitions.remaining([queued.id])).values()
    layout = store.database.layout
    assert tuple(bucket_of_key(partition.last) for partition in partitions) == layout.buckets
    done = await work(store, queued.id, SMALL)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 200)
    assert await instances_of(store, ORDERS) == instances(range(200), version=2)


async def test_ids_of_few_buckets_make_few_partitions(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(200)))
    bucket_of = store.database.layout.bucket_of
    bucket = bucket_of(an_id(0))
    named = [an_id(number) for number in range(900) if bucket_of(an_id(number)) == bucket][:20]
    queued = await request(store, by_ids(named), worker=SMALL)
    [partitions] = (await store.partitions.remaining([queued.id])).values()
    assert [bucket_of_key(partition.last) for partition in partitions] == [bucket]


async def test_a_small_upgrade_is_done_at_once_in_all_buckets(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(50)))
    done = await request(store, worker=a_worker(size=50))
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 50)


async def test_another_worker_continues_where_one_died(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(100)))
    queued = await request(store, worker=SMALL)
    await work_and_die(store, queued.id, SMALL, chunks=7)
    late = a_worker("late", size=9, clock=lambda: EVENING)
    done = await work(store, queued.id, late)
    assert (done.state, done.upgraded) == (UpgradeState.COMPLETED, 100)
    assert len(await outcomes_of(store, queued.id)) == 100


async def test_several_workers_move_each_instance_once(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(200)))
    queued = await request(store, worker=SMALL)
    workers = [a_worker(f"worker {number}", size=7) for number in range(3)]

    async def run(worker: Worker) -> None:
        while (claimed := await claim(store, worker)) is not None:
            await run_upgrade(store, claimed, worker)

    await gather(*map(run, workers))
    done = await get_upgrade(store, queued.id)
    assert (done.state, done.upgraded, done.skipped) == (UpgradeState.COMPLETED, 200, 0)
    assert len(await outcomes_of(store, queued.id)) == 200
    assert await instances_of(store, ORDERS) == instances(range(200), version=2)


async def test_after_a_pause_nothing_moves(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(100)))
    queued = await request(store, worker=SMALL)
    assert await claim(store, SMALL) is not None
    await one_chunk(store, queued)  # so the store remembers where the worker holds a partition
    paused = await pause_upgrade(store, queued.id, caller=ADMIN)
    async with store.transaction() as transaction:
        assert await transaction.partitions.lock_held(queued.id, SMALL.name, SMALL.clock()) is None
    assert (paused.state, paused.upgraded) == (UpgradeState.PAUSED, len(await outcomes_of(store, queued.id)))
    await resume_upgrade(store, queued.id, caller=ADMIN)
    assert (await work(store, queued.id, SMALL)).upgraded == 100


async def test_wrong_counts_are_found_and_repaired_in_their_bucket(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(20)))
    async with store.database.writing() as connection:
        await connection.exec_driver_sql("UPDATE cohort_count SET instances = instances + 3")
    found = await find_count_differences(store.database)
    assert found, "each bucket has counts"
    assert {difference.kept - difference.counted for difference in found} == {3}
    assert await repair_counts(store.database) == found
    assert await find_count_differences(store.database) == ()


async def test_more_wrong_counts_than_one_statement_deletes_are_repaired(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(20)))
    bucket = store.database.layout.bucket_of(an_id(0))
    async with store.database.writing() as connection:
        # Folded first: counts that are not stored yet would be added to the wrong ones.
        await fold_all(connection)
        await connection.exec_driver_sql("UPDATE cohort_count SET instances = instances + 3")
        await connection.exec_driver_sql(
            "INSERT INTO cohort_count (process_id, version, status, position_id, instances, bucket) "
            f"SELECT 1, 1000 + n, 1, 1, 1, {bucket} FROM generate_series(1, {MAX_BOUND}) AS n"
        )
    found = await repair_counts(store.database)
    assert sum(difference.kept for difference in found if difference.counted == 0) == MAX_BOUND
    assert sum(difference.counted for difference in found) == 20
    assert await find_count_differences(store.database) == ()


async def test_links_are_refused(store: SqlStore) -> None:
    with pytest.raises(InvalidInput, match="Expected a database without buckets for the link 'engine'"):
        async with store.transaction() as transaction:
            await transaction.links.add(a_link())


async def test_what_is_pruned_is_pruned_in_all_buckets(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(30)))
    named = await request(store, by_ids(map(an_id, range(12))), worker=a_worker(size=50))
    rest = await request(store, worker=a_worker(size=50))
    assert await prune_outcomes(store, before=EVENING) == 12 + 30
    for upgrade in (named, rest):
        assert await outcomes_of(store, upgrade.id) == []
        assert (await get_upgrade(store, upgrade.id)).pruned_at is not None


Answer = tuple[object, ...]


async def answers(store: Store, world: World) -> list[Answer]:
    """What an upgrade, a retry and an undo do to each instance of a world, and what is counted."""
    found: list[Answer] = []
    await populated(store, world)
    asked = UpgradeRequest(process=ORDERS, selection=world.selection, mappings=world.mappings)
    try:
        first = await request_upgrade(store, asked, caller=ADMIN, worker=SMALL)
        done = await _finished(store, first, found)
        retry = RetryRequest(upgrade_id=done.id, reasons=RETRIABLE_REASONS)
        await _finished(store, await request_retry(store, retry, caller=ADMIN, worker=SMALL), found)
        undo = UndoRequest(upgrade_id=done.id)
        await _finished(store, await request_undo(store, undo, caller=ADMIN, worker=SMALL), found)
    except UpliftError as refused:
        found.append((refused.code, refused.message.replace(str(first.id), "") if found else refused.message))
    found.append(tuple(await instances_of(store, ORDERS)))
    histories = await store.instances.histories(ids_of(world.held))
    found.append(
        tuple(
            (instance_id, tuple(entry.outcome for entry in entries))
            for instance_id, entries in histories.items()
        )
    )
    return found


async def _finished(store: Store, upgrade: Upgrade, found: list[Answer]) -> Upgrade:
    done = upgrade if upgrade.is_finished else await work(store, upgrade.id, SMALL)
    outcomes = tuple(await outcomes_of(store, done.id))
    [skips] = (await store.upgrades.skip_decisions([done.id])).values()
    counts = frozenset((skip.decision, skip.count) for skip in skips)
    found.append((done.state, done.upgraded, done.skipped, done.excluded, outcomes, counts))
    return done


@settings(max_examples=EXAMPLES)
@given(world=worlds())
async def test_buckets_and_one_server_give_the_same_answer_for_each_instance(
    stores: Stores, world: World
) -> None:
    async with stores.empty("buckets") as store:
        divided = await answers(store, world)
    async with stores.empty("postgres") as store:
        assert divided == await answers(store, world)


async def test_the_counts_of_a_running_upgrade_are_read_from_all_buckets_once(store: SqlStore) -> None:
    await a_process(store, holding=instances(range(200)))
    queued = await request(store, worker=SMALL)
    await work_and_die(store, queued.id, SMALL, chunks=2)
    async with store.database.reading() as connection:
        with statements_on(connection) as sent:
            running = await get_upgrade(store, queued.id)
    assert (running.state, running.upgraded > 0) == (UpgradeState.RUNNING, True)
    assert sum("sum(partition.upgraded)" in statement.sql for statement in sent) == 1
