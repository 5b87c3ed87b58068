"""Upgrades are stored, and their outcomes and decisions are read."""

from dataclasses import replace
from datetime import timedelta

import pytest

from uplift.domain import (
    ProcessKey,
    Selection,
    Upgrade,
    UpgradeState,
    all_active,
    by_ids,
)
from uplift.domain.model.paging import PageRequest
from uplift.domain.model.selection import SelectionKind
from uplift.domain.model.upgrade import Lease
from uplift.domain.ports import OutcomeFilter, Store, UpgradeFilter
from uplift.testing.builders import (
    EVENING,
    INVOICES,
    NOON,
    ORDERS,
    UNKNOWN_PROCESS,
    a_key,
    a_process,
    an_id,
    an_upgrade,
    an_upgrade_id,
    instances,
)
from uplift.testing.chunk_work import (
    Decide,
    add_upgrade,
    lock,
    plain_rules,
    run_chunk,
)
from uplift.testing.stores import a_transaction_that_fails, outcomes_of, upgrades_of, walk

pytestmark = pytest.mark.anyio


async def add(store: Store, number: int, selection: Selection, process: ProcessKey = ORDERS) -> Upgrade:
    new = an_upgrade(number, process=process, selection=selection.kind)
    async with store.transaction() as transaction:
        return await add_upgrade(transaction, new, selection)


async def carry_out(
    store: Store, number: int, selection: Selection, *, size: int = 1_000, by: Decide = plain_rules
) -> Upgrade:
    upgrade = await add(store, number, selection)
    while upgrade.state is UpgradeState.RUNNING:
        async with store.transaction() as transaction:
            upgrade = (await run_chunk(transaction, upgrade.id, size, by)).upgrade
    return upgrade


async def test_an_upgrade_that_does_not_exist_is_not_found(store: Store) -> None:
    await a_process(store)
    unknown = an_upgrade_id(404)
    assert await store.upgrades.find(unknown) is None
    async with store.transaction() as transaction:
        assert await transaction.upgrades.lock(unknown) is None
    pages = await store.upgrades.outcome_pages([unknown], OutcomeFilter(), PageRequest(first=5))
    assert {key: (page.items, page.has_next) for key, page in pages.items()} == {unknown: ((), False)}
    assert await store.upgrades.skip_decisions([unknown]) == {unknown: ()}
    assert await store.upgrades.skip_decisions([]) == {}
    assert await store.upgrades.outcome_pages([], OutcomeFilter(), PageRequest(first=5)) == {}


async def test_the_outcomes_of_an_upgrade_are_never_those_of_one_that_was_rolled_back(store: Store) -> None:
    await a_process(store, holding=instances(range(4)))
    async with a_transaction_that_fails(store) as transaction:
        new = an_upgrade(1, selection=SelectionKind.BY_IDS, expected=2)
        await add_upgrade(transaction, new, by_ids([an_id(0), an_id(1)]))
    done = await carry_out(store, 2, by_ids([an_id(2)]))
    assert [outcome.instance for outcome in await outcomes_of(store, done.id)] == [an_id(2)]
    assert await outcomes_of(store, an_upgrade_id(1)) == []


@pytest.mark.parametrize("reason", [None, "", "because 'of' \"this\"\n订单 \N{GRINNING FACE}" * 10])
async def test_an_upgrade_is_kept_as_it_is(store: Store, reason: str | None) -> None:
    await a_process(store, holding=instances([1]))
    new = an_upgrade(1, reason=reason)
    async with store.transaction() as transaction:
        added, (whole,) = await transaction.upgrades.add(new, all_active())
        partition = whole.partition
        assert added.upgrade == new
        assert (partition.upgrade, partition.lease) == (new.id, None)
        assert partition.cursor < partition.last
        assert await added.remaining() == ()
        await whole.add(partition)
        assert await added.remaining() == (partition,)
        locked = await transaction.upgrades.lock(new.id)
        assert locked is not None
        assert locked.upgrade == new
    assert await store.upgrades.find(new.id) == new
    changed = replace(
        new,
        state=UpgradeState.FAILED,
        started_at=NOON,
        finished_at=EVENING,
        pruned_at=EVENING,
        worked=timedelta(seconds=3, microseconds=7),
        expected=9,
        upgraded=5,
        skipped=2,
        excluded=1,
        error="RuntimeError: of 'this'",
    )
    leased = replace(partition, cursor=partition.last - 1, lease=Lease(worker="one of 'them'", until=EVENING))
    async with store.transaction() as transaction:
        locked, whole = await lock(transaction, new.id)
        await locked.save(changed)
        await whole.save(leased)
    assert await store.upgrades.find(new.id) == changed
    assert await store.partitions.remaining([new.id, an_upgrade_id(404)]) == {
        new.id: (leased,),
        an_upgrade_id(404): (),
    }
    assert await upgrades_of(store) == [changed]


async def test_several_upgrades_are_found_at_once(store: Store) -> None:
    await a_process(store, ORDERS)
    first, second = [await add(store, number, all_active()) for number in range(2)]
    unknown = an_upgrade_id(404)
    assert await store.upgrades.find_many([second.id, unknown, first.id]) == {
        first.id: first,
        second.id: second,
    }
    assert await store.upgrades.find_many([]) == {}


async def test_upgrades_are_listed_from_the_newest(store: Store) -> None:
    await a_process(store, ORDERS)
    await a_process(store, INVOICES)
    orders: list[Upgrade] = []
    invoices: list[Upgrade] = []
    for number in range(7):
        is_order = number % 3 != 1
        added = await add(store, number, all_active(), ORDERS if is_order else INVOICES)
        (orders if is_order else invoices).insert(0, added)
    everything = sorted(
        [*orders, *invoices], key=lambda upgrade: [an_upgrade_id(n) for n in range(7)].index(upgrade.id)
    )
    for size in (1, 2, 7, 8):
        assert await upgrades_of(store, first=size) == everything[::-1]
        assert await upgrades_of(store, ORDERS, first=size) == orders
        assert await upgrades_of(store, INVOICES, first=size) == invoices
        assert await upgrades_of(store, UNKNOWN_PROCESS, first=size) == []


async def test_new_upgrades_shift_no_page_of_the_list(store: Store) -> None:
    await a_process(store)
    old = [await add(store, number, all_active()) for number in range(4)]
    first = await store.upgrades.page(ORDERS, PageRequest(first=2))
    await add(store, 10, all_active())
    rest = await store.upgrades.page(ORDERS, PageRequest(first=5, after=first.sort_keys[-1]))
    assert (*first.items, *rest.items) == tuple(reversed(old))
    assert (first.has_next, rest.has_next) == (True, False)


UPGRADE_FILTERS: list[tuple[UpgradeFilter, list[int]]] = [
    (UpgradeFilter(), [4, 3, 2, 1]),
    (UpgradeFilter(states=frozenset({UpgradeState.RUNNING})), [4, 3, 1]),
    (UpgradeFilter(states=frozenset({UpgradeState.RUNNING, UpgradeState.CANCELLED})), [4, 3, 2, 1]),
    (UpgradeFilter(states=frozenset()), []),
    (UpgradeFilter(kinds=frozenset({SelectionKind.BY_IDS})), [3]),
    (UpgradeFilter(requested_by="clerk"), [4]),
    (UpgradeFilter(requested_by="CLERK"), []),
    (UpgradeFilter(requested_by="\0"), []),
    (UpgradeFilter(since=EVENING), [4, 1]),
    (UpgradeFilter(since=EVENING, requested_by="clerk", states=frozenset({UpgradeState.RUNNING})), [4]),
]
"""Filters, and the numbers of the upgrades that they let through."""


@pytest.mark.parametrize(("which", "numbers"), UPGRADE_FILTERS)
async def test_a_list_has_only_upgrades_that_match_its_filter(
    store: Store, which: UpgradeFilter, numbers: list[int]
) -> None:
    await a_process(store)
    await a_process(store, INVOICES)
    added = [
        replace(an_upgrade(1), requested_at=EVENING),
        replace(an_upgrade(2), state=UpgradeState.CANCELLED, finished_at=EVENING),
        an_upgrade(3, selection=SelectionKind.BY_IDS),
        replace(an_upgrade(4), requested_at=EVENING, requested_by="clerk"),
    ]
    for upgrade in added:
        selection = by_ids([an_id(1)]) if upgrade.selection is SelectionKind.BY_IDS else all_active()
        async with store.transaction() as transaction:
            await add_upgrade(transaction, upgrade, selection)
    await add(store, 5, all_active(), INVOICES)
    for size in (1, 4):
        listed = await walk(lambda page: store.upgrades.page(ORDERS, page, which), first=size)
        assert [upgrade.id for upgrade in listed] == list(map(an_upgrade_id, numbers))
    assert await store.upgrades.count(ORDERS, which) == len(numbers)
    everywhere = await walk(lambda page: store.upgrades.page(None, page, which))
    assert len(everywhere) == await store.upgrades.count(None, which)
    assert await store.upgrades.count(None, which, namespaces=frozenset({"elsewhere"})) == 0
    assert await store.upgrades.count(UNKNOWN_PROCESS, which) == 0


async def test_the_latest_upgrade_of_each_process_is_found(store: Store) -> None:
    await a_process(store)
    await a_process(store, INVOICES)
    await a_process(store, a_key("without_upgrades"))
    keys = [INVOICES, a_key("without_upgrades"), ORDERS, UNKNOWN_PROCESS, ORDERS]
    assert await store.upgrades.latest(keys) == {}
    added = [
        await add(store, number, all_active(), key) for number, key in enumerate([ORDERS, INVOICES, ORDERS])
    ]
    assert await store.upgrades.latest(keys) == {INVOICES: added[1], ORDERS: added[2]}
    assert await store.upgrades.latest([]) == {}


async def test_an_upgrade_that_is_rolled_back_was_never_there(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    for selection in (all_active([an_id(1)]), by_ids([an_id(1)])):
        async with a_transaction_that_fails(store) as transaction:
            new = await add_upgrade(transaction, an_upgrade(selection=selection.kind), selection)
            await run_chunk(transaction, new.id, 10)
    assert await store.upgrades.find(an_upgrade_id(1)) is None
    assert await upgrades_of(store) == []
    assert await store.upgrades.claimable(NOON) is None
    done = await carry_out(store, 1, all_active())
    assert (done.upgraded, done.excluded) == (1, 0)
    assert [outcome.kind for outcome in await outcomes_of(store, done.id)] == ["UPGRADED"]
