"""Filtered lists are whole, however few rows a page looks at, and the work for a page is bounded."""

import pytest

from tests.support.stores import Stores
from uplift.domain import OutcomeKind, Status, UpgradeState, VersionNumber, all_active, by_ids
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import InstanceFilter, OutcomeFilter, Store, UpgradeFilter
from uplift.storage.statements import bounded_search
from uplift.storage.statements.upgrades import upgrade_lists
from uplift.testing.builders import INVOICES, ORDERS, a_process, an_id, an_instance, at, instances
from uplift.testing.store import instances as contract
from uplift.testing.store import outcomes as contract_of_outcomes
from uplift.testing.store import upgrades as contract_of_upgrades

pytestmark = pytest.mark.anyio

FEW = pytest.mark.parametrize("looks", [(1, 2), (2, 2)], ids=["1 then 1", "2"])


def look_at(monkeypatch: pytest.MonkeyPatch, first: int, limit: int) -> None:
    monkeypatch.setattr(bounded_search, "FIRST_LOOK", first)
    monkeypatch.setattr(bounded_search, "LEAST_LOOK", limit)
    monkeypatch.setattr(bounded_search, "LOOKED_AT", 0)


@FEW
@pytest.mark.parametrize(("which", "numbers"), contract.FILTERED[1::4])
async def test_a_filtered_list_is_whole_although_pages_end_early(
    store: Store,
    which: InstanceFilter,
    numbers: list[int],
    looks: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    look_at(monkeypatch, *looks)
    await contract.test_a_list_has_only_instances_that_match_its_filter(store, which, numbers)


@FEW
@pytest.mark.parametrize("is_by_ids", [True, False])
async def test_a_filtered_list_of_outcomes_is_whole_although_pages_end_early(
    store: Store, is_by_ids: bool, looks: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    look_at(monkeypatch, *looks)
    await contract_of_outcomes.test_a_list_has_only_outcomes_that_match_its_filter(store, is_by_ids)


@pytest.mark.parametrize("looked_at", [1, 2])
@pytest.mark.parametrize(("which", "numbers"), contract_of_upgrades.UPGRADE_FILTERS[2::3])
async def test_a_filtered_list_of_upgrades_is_whole_although_pages_end_early(
    store: Store,
    which: UpgradeFilter,
    numbers: list[int],
    looked_at: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upgrade_lists, "LOOKED_AT", looked_at)
    await contract_of_upgrades.test_a_list_has_only_upgrades_that_match_its_filter(store, which, numbers)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_page_ends_early_where_it_has_looked_at_enough(
    stores: Stores, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_at(monkeypatch, 4, 10)
    paid = [an_instance(number, position=at("paid"), process=INVOICES) for number in (100, 101)]
    async with stores.empty(kind) as store:
        await a_process(store, holding=[*instances(range(30)), an_instance(50, status=Status.FAILED)])
        await a_process(store, INVOICES, holding=paid)
        failed = InstanceFilter(statuses=frozenset({Status.FAILED}))
        ends: list[int] = []
        after: int | None = None
        for _ in range(3):
            page = (await store.instances.pages([ORDERS], failed, PageRequest(first=5, after=after)))[ORDERS]
            assert (page.items, page.has_next) == ((), True)
            assert page.end is not None
            after = page.end
            ends.append(page.end)
        last = (await store.instances.pages([ORDERS], failed, PageRequest(first=5, after=after)))[ORDERS]
        assert (last.items, last.has_next, last.end) == (
            (an_instance(50, status=Status.FAILED),),
            False,
            None,
        )
        assert [end - ends[0] for end in ends] == [0, 10, 20]
        nobody = InstanceFilter(versions=frozenset({VersionNumber(7)}))
        assert not (await store.instances.pages([ORDERS], nobody, PageRequest(first=5)))[ORDERS].has_next
        waiting = InstanceFilter(elements=at("paid"))
        both = await store.instances.pages([ORDERS, INVOICES], waiting, PageRequest(first=5))
        assert (both[ORDERS].items, both[ORDERS].has_next) == ((), False)
        assert both[INVOICES].items == tuple(paid)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
@pytest.mark.parametrize("is_by_ids", [True, False])
async def test_a_page_of_outcomes_ends_early_where_it_has_looked_at_enough(
    stores: Stores, kind: str, is_by_ids: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_at(monkeypatch, 4, 10)
    async with stores.empty(kind) as store:
        await a_process(store, holding=[*instances(range(30)), an_instance(50, status=Status.RUNNING)])
        selection = by_ids([*map(an_id, range(30)), an_id(50)]) if is_by_ids else all_active()
        upgrade = await contract_of_upgrades.carry_out(store, 1, selection, size=9)
        other = await contract_of_upgrades.carry_out(store, 2, by_ids([an_id(50)]))
        skipped = OutcomeFilter(kinds=frozenset({OutcomeKind.SKIPPED}))
        ends: list[int] = []
        after: int | None = None
        for _ in range(3):
            request = PageRequest(first=5, after=after)
            page = (await store.upgrades.outcome_pages([upgrade.id], skipped, request))[upgrade.id]
            assert (page.items, page.has_next) == ((), True)
            assert page.end is not None
            after = page.end
            ends.append(page.end)
        request = PageRequest(first=5, after=after)
        last = (await store.upgrades.outcome_pages([upgrade.id], skipped, request))[upgrade.id]
        assert ([outcome.instance for outcome in last.items], last.has_next, last.end) == (
            [an_id(50)],
            False,
            None,
        )
        assert [end - ends[0] for end in ends] == [0, 10, 20]
        nowhere = OutcomeFilter(elements=at("nowhere"))
        both = await store.upgrades.outcome_pages([upgrade.id, other.id], nowhere, PageRequest(first=5))
        assert {(page.items, page.has_next, page.end) for page in both.values()} == {((), False, None)}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_upgrades_are_counted_up_to_a_limit(
    stores: Stores, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrade_lists, "COUNTED", 4)
    async with stores.empty(kind) as store:
        await a_process(store)
        await a_process(store, INVOICES)
        done = [await contract_of_upgrades.carry_out(store, n, by_ids([an_id(1)])) for n in range(4)]
        assert len(done) == await store.upgrades.count(ORDERS)
        running = await contract_of_upgrades.add(store, 4, all_active())
        await contract_of_upgrades.add(store, 5, all_active(), INVOICES)
        assert await store.upgrades.count(ORDERS) is None
        assert await store.upgrades.count(ORDERS, UpgradeFilter(requested_by="nobody")) is None
        assert await store.upgrades.count(INVOICES) == 1
        assert await store.upgrades.count(None, namespaces=frozenset({"elsewhere"})) == 0
        # Few upgrades run, and they have an index.
        runs = UpgradeFilter(states=frozenset({running.state, UpgradeState.QUEUED}))
        assert await store.upgrades.count(ORDERS, runs) == 1
        assert await store.upgrades.count(None, runs) == 2
        page = await store.upgrades.page(ORDERS, PageRequest(first=5), runs)
        assert (page.items, page.has_next) == ((running,), False)
