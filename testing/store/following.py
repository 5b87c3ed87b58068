"""The retries and undos of an upgrade, and the number of ids in its request."""

import pytest

from uplift.domain import (
    AllActive,
    ReasonCode,
    RetryRequest,
    Status,
    UndoRequest,
    Upgrade,
    all_active,
    by_ids,
    request_retry,
    request_undo,
)
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.selection import SelectionKind
from uplift.domain.ports import Store
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    ORDERS,
    a_process,
    a_worker,
    an_id,
    an_instance,
    an_upgrade_id,
    instances,
)
from uplift.testing.stores import walk
from uplift.testing.upgrade_work import SMALL, request, work

pytestmark = pytest.mark.anyio

LARGE = a_worker("large", size=1_000)
NOT_PENDING = frozenset({ReasonCode.NOT_PENDING})


async def retry(store: Store, upgrade: Upgrade) -> Upgrade:
    request = RetryRequest(upgrade_id=upgrade.id, reasons=NOT_PENDING)
    return await request_retry(store, request, caller=ADMIN, worker=LARGE)


async def undo(store: Store, upgrade: Upgrade) -> Upgrade:
    return await request_undo(store, UndoRequest(upgrade_id=upgrade.id), caller=ADMIN, worker=LARGE)


async def following(store: Store, upgrade: Upgrade, kind: SelectionKind, first: int = 10) -> list[Upgrade]:
    """The upgrades that follow an upgrade, read in pages."""

    async def read(page: PageRequest) -> Page[Upgrade]:
        return (await store.upgrades.following_pages([upgrade.id], kind, page))[upgrade.id]

    return await walk(read, first=first)


async def test_the_retries_and_undos_of_an_upgrade_are_listed_the_newest_first(store: Store) -> None:
    await a_process(store, holding=[*instances(range(3)), an_instance(4, status=Status.RUNNING)])
    first = await request(store, worker=LARGE)
    other = await request(store, worker=LARGE)
    retries = [await retry(store, first) for _ in range(3)]
    undos = [await undo(store, first) for _ in range(2)]
    again = await retry(store, retries[0])
    await retry(store, other)
    for size in (1, 2, 3, 10):
        assert await following(store, first, SelectionKind.RETRY, size) == retries[::-1]
        assert await following(store, first, SelectionKind.UNDO, size) == undos[::-1]
    assert await following(store, retries[0], SelectionKind.RETRY) == [again]
    assert await following(store, other, SelectionKind.UNDO) == []


async def test_pages_of_several_upgrades_are_read_together(store: Store) -> None:
    await a_process(store, holding=instances(range(3)))
    await a_process(store, INVOICES, holding=instances(range(10, 13), process=INVOICES))
    orders = await request(store, worker=LARGE)
    invoices = await request(store, process=INVOICES, worker=LARGE)
    unknown = an_upgrade_id(404)
    undos = {upgrade.id: [await undo(store, upgrade) for _ in range(2)] for upgrade in (orders, invoices)}
    ids = [invoices.id, unknown, orders.id]
    pages = await store.upgrades.following_pages(ids, SelectionKind.UNDO, PageRequest(first=1))
    assert {upgrade_id: list(page.items) for upgrade_id, page in pages.items()} == {
        invoices.id: undos[invoices.id][1:],
        unknown: [],
        orders.id: undos[orders.id][1:],
    }
    assert [pages[upgrade_id].has_next for upgrade_id in ids] == [True, False, True]
    assert await store.upgrades.following_pages([], SelectionKind.UNDO, PageRequest(first=1)) == {}


async def test_an_upgrade_has_the_number_of_ids_in_its_request(store: Store) -> None:
    await a_process(store, holding=[*instances(range(5)), an_instance(5, status=Status.COMPLETED)])
    unknown = an_id(404)
    twice = by_ids([an_id(0), an_id(1), unknown, an_id(1)])
    chosen = await request(store, twice, worker=LARGE)
    assert (chosen.selected_count, chosen.except_count) == (3, 0)
    # An ended instance and an unknown id are excluded although they would not be upgraded.
    rest = await request(store, all_active([an_id(2), an_id(5), unknown]), worker=SMALL)
    assert (rest.selected_count, rest.except_count, rest.excluded) == (None, 3, 1)
    done = await work(store, rest.id)
    assert (done.selected_count, done.except_count) == (None, 3)
    everything = await request(store, AllActive(), worker=LARGE)
    for upgrade in (everything, await retry(store, chosen), await undo(store, chosen)):
        assert (upgrade.selected_count, upgrade.except_count) == (None, 0)
    stored = await store.upgrades.find_many([chosen.id, rest.id])
    assert (stored[chosen.id], stored[rest.id]) == (chosen, done)
    assert (await store.upgrades.page(ORDERS, PageRequest(first=10))).items[-1] == chosen
