"""Filtered lists are whole, however few rows a page looks at, and the work for a page is bounded."""

import pytest

from tests.support.stores import Stores
from uplift.domain import Status, VersionNumber
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import InstanceFilter, Store, UpgradeFilter
from uplift.storage.statements import instance_lists, upgrade_lists
from uplift.testing.builders import INVOICES, ORDERS, a_process, an_instance, at, instances
from uplift.testing.store import instances as contract
from uplift.testing.store import upgrades as contract_of_upgrades

pytestmark = pytest.mark.anyio

FEW = pytest.mark.parametrize("looks", [(1, 2), (2, 2)], ids=["1 then 1", "2"])


def look_at(monkeypatch: pytest.MonkeyPatch, first: int, limit: int) -> None:
    monkeypatch.setattr(instance_lists, "FIRST_LOOK", first)
    monkeypatch.setattr(instance_lists, "LEAST_LOOK", limit)
    monkeypatch.setattr(instance_lists, "LOOKED_AT", 0)


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
