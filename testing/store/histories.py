"""The history of an instance: its outcomes in all upgrades, the oldest first."""

import pytest

from uplift.domain import (
    Outcome,
    ReasonCode,
    Status,
    VersionNumber,
    report_instances,
    request_retry,
    request_undo,
)
from uplift.domain.model.request import RetryRequest, UndoRequest
from uplift.domain.model.selection import all_active, by_ids
from uplift.domain.model.upgrade import HistoryEntry
from uplift.domain.ports import Store
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    ORDERS,
    a_process,
    a_report,
    a_worker,
    an_id,
    an_instance,
    an_upgrade,
    at,
    instances,
)
from uplift.testing.chunk_work import add_upgrade, run_chunk
from uplift.testing.stores import a_transaction_that_fails, outcomes_of
from uplift.testing.upgrade_work import request, work_and_die

pytestmark = pytest.mark.anyio

LARGE = a_worker("large", size=1_000)


async def history_of(store: Store, number: int) -> tuple[HistoryEntry, ...]:
    return (await store.instances.histories([an_id(number)]))[an_id(number)]


async def test_a_history_has_the_outcomes_of_all_upgrades_in_order(store: Store) -> None:
    await a_process(
        store, holding=[*instances(range(3), position=at("a")), an_instance(3, status=Status.RUNNING)]
    )
    first = await request(store, worker=LARGE, reason="first")
    retry = await request_retry(
        store,
        RetryRequest(upgrade_id=first.id, reasons=frozenset({ReasonCode.NOT_PENDING})),
        caller=ADMIN,
        worker=LARGE,
    )
    undo = await request_undo(store, UndoRequest(upgrade_id=first.id), caller=ADMIN, worker=LARGE)
    second = await request(store, by_ids([an_id(1), an_id(9)]), worker=LARGE)
    histories = await store.instances.histories(list(map(an_id, range(4))))
    outcomes = {
        upgrade.id: {outcome.instance: outcome for outcome in await outcomes_of(store, upgrade.id)}
        for upgrade in (first, retry, undo, second)
    }
    for number, upgrades in enumerate([(first, undo), (first, undo, second), (first, undo), (first, retry)]):
        assert histories[an_id(number)] == tuple(
            HistoryEntry(upgrade=upgrade, outcome=outcomes[upgrade.id][an_id(number)]) for upgrade in upgrades
        )
    assert histories[an_id(1)][1].outcome == Outcome(
        instance=an_id(1),
        from_version=VersionNumber(2),
        to_version=VersionNumber(1),
        from_position=at("a"),
        to_position=at("a"),
    )


async def test_a_history_has_no_upgrades_of_other_instances(store: Store) -> None:
    await a_process(store, holding=instances(range(6)))
    single = [await request(store, by_ids([an_id(n)]), worker=LARGE) for n in (4, 1, 4, 5)]
    every = await request(store, worker=LARGE)
    ends = await request(store, by_ids([an_id(0), an_id(5)]), worker=LARGE)
    histories = await store.instances.histories(list(map(an_id, range(6))))
    assert {
        instance_id: [entry.upgrade for entry in entries] for instance_id, entries in histories.items()
    } == {
        an_id(0): [every, ends],
        an_id(1): [single[1], every],
        an_id(2): [every],
        an_id(3): [every],
        an_id(4): [single[0], single[2], every],
        an_id(5): [single[3], every, ends],
    }
    assert [entry.outcome.kind for entry in histories[an_id(4)]] == ["UPGRADED", "SKIPPED", "SKIPPED"]


async def test_an_instance_that_no_upgrade_touched_has_an_empty_history(store: Store) -> None:
    await a_process(store, INVOICES, holding=[an_instance(20, process=INVOICES)])
    await a_process(store, holding=[*instances(range(3)), an_instance(3, status=Status.FAILED)])
    await request(store, all_active([an_id(1)]), worker=LARGE)
    await request(store, by_ids([an_id(20), an_id(0)]), worker=LARGE)
    ids = [an_id(n) for n in (1, 3, 20, 404)]
    assert await store.instances.histories(ids) == dict.fromkeys(ids, ())
    assert await store.instances.histories([]) == {}


async def test_an_id_that_is_passed_twice_has_one_history(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    done = await request(store, worker=LARGE)
    histories = await store.instances.histories([an_id(1), an_id(1)])
    assert [entry.upgrade for entry in histories[an_id(1)]] == [done]


async def test_a_running_upgrade_is_in_the_history_of_the_instances_it_has_processed(store: Store) -> None:
    await a_process(store, holding=instances(range(5)))
    queued = await request(store)
    assert await history_of(store, 0) == ()
    running = await work_and_die(store, queued.id, chunks=2)
    assert [entry.upgrade for entry in await history_of(store, 3)] == [running]
    assert await history_of(store, 4) == ()


async def test_reports_and_rolled_back_chunks_leave_no_trace(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    async with a_transaction_that_fails(store) as transaction:
        added = await add_upgrade(transaction, an_upgrade(), all_active())
        await run_chunk(transaction, added.id, 10)
    await report_instances(store, reports=[a_report(1, position=at("ship"))], caller=ADMIN)
    assert await history_of(store, 1) == ()


async def test_an_id_that_had_no_instance_has_no_history_when_it_gets_one(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    await request(store, by_ids([an_id(1), an_id(2)]), worker=LARGE)
    async with store.transaction() as transaction:
        await transaction.instances.register(ORDERS, instances([2]))
    assert await history_of(store, 2) == ()
