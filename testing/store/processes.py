"""Processes and versions are stored, published, found and listed."""

from dataclasses import replace
from functools import partial

import pytest

from uplift.domain import InvalidInput, ProcessKey, VersionModel, VersionNumber, VersionState
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import InstanceFilter, ProcessFilter, ProcessOrder, Store
from uplift.domain.ports.processes import MAX_SEARCH_LENGTH
from uplift.testing.builders import (
    EVENING,
    INVOICES,
    ORDERS,
    UNKNOWN_PROCESS,
    a_key,
    a_model,
    a_process,
    a_stored_process,
    a_version,
    an_instance,
    at,
    instances,
)
from uplift.testing.stores import a_transaction_that_fails, everything_in, instances_of, walk

pytestmark = pytest.mark.anyio

DRAFT = VersionState.DRAFT
ONE, TWO, THREE = VersionNumber(1), VersionNumber(2), VersionNumber(3)


async def add(store: Store, *keys: ProcessKey) -> None:
    async with store.transaction() as transaction:
        for key in keys:
            await transaction.processes.add(a_stored_process(key))


async def test_an_empty_store_lists_nothing(store: Store) -> None:
    assert await store.processes.find(ORDERS) is None
    assert await walk(store.processes.page) == []
    assert await store.processes.find_many([ORDERS]) == {}
    assert await store.processes.versions([ORDERS]) == {ORDERS: ()}
    assert await store.processes.model(ORDERS, ONE) is None
    assert await store.processes.find_many([]) == {}
    assert await store.processes.versions([]) == {}


async def test_a_process_is_found_as_it_was_added(store: Store) -> None:
    added = a_stored_process(title="Größe «x» 'y' \"z\" 订单")
    async with store.transaction() as transaction:
        await transaction.processes.add(added)
        assert await transaction.processes.find(ORDERS) == added
    assert await store.processes.find(ORDERS) == added


async def test_a_name_is_found_only_as_it_is_written(store: Store) -> None:
    await add(store, a_key("Orders"), a_key("orders", "crm2"))
    assert await store.processes.find(ORDERS) is None
    assert await store.processes.find_many([ORDERS]) == {}


@pytest.mark.parametrize("code", ["\0", "half a character: \ud800", "", "a/b", "x" * 100_000])
async def test_a_name_that_no_process_can_have_is_found_nowhere(store: Store, code: str) -> None:
    await add(store, ORDERS)
    for key in (a_key(code), a_key("orders", code)):
        assert await store.processes.find(key) is None
        assert (await store.processes.find_many([key, ORDERS])).keys() == {ORDERS}
        assert await store.processes.versions([key]) == {key: ()}
        assert await store.processes.model(key, ONE) is None
        assert await store.instances.cohorts([key]) == {key: ()}
        assert await store.instances.count_active(key) == 0
        assert (await store.upgrades.page(key, PageRequest(first=1))).items == ()
        async with store.transaction() as transaction:
            assert await transaction.processes.find(key) is None


async def test_processes_are_listed_by_age(store: Store) -> None:
    keys = [a_key(code) for code in ("zebra", "ant", "möwe", "cat", "bee")]
    await add(store, *keys)
    for size in (1, 2, 5, 6):
        assert [process.key for process in await walk(store.processes.page, first=size)] == keys


async def test_the_next_page_of_processes_starts_after_the_cursor_although_some_were_added(
    store: Store,
) -> None:
    await add(store, a_key("a"), a_key("b"), a_key("c"))
    first = await store.processes.page(PageRequest(first=2))
    await add(store, a_key("aa"))
    rest = await store.processes.page(PageRequest(first=5, after=first.sort_keys[-1]))
    assert [process.key.code for process in (*first.items, *rest.items)] == ["a", "b", "c", "aa"]
    assert (first.has_next, rest.has_next) == (True, False)


TITLES = (
    "Zebra",
    "ant",
    "Möwe",
    "mo\N{COMBINING DIAERESIS}wE",
    "100%",
    "a_b",
    "GRÖSSE",
    "größe",
    "\U0001f600",
)
ORDERED = {
    ProcessOrder.CREATED: [1, 2, 3, 4, 5, 6, 7, 8, 9],
    ProcessOrder.NAME: [9, 7, 5, 3, 1, 8, 6, 4, 2],
    ProcessOrder.TITLE: [5, 6, 2, 7, 8, 3, 4, 1, 9],
}


async def add_titled(store: Store) -> dict[ProcessKey, int]:
    """Processes with the titles above, numbered from 1, in two namespaces. Later ones have lower codes."""
    keys = [a_key(f"Code{9 - number}", f"ns{number % 2}") for number in range(9)]
    async with store.transaction() as transaction:
        for key, title in zip(keys, TITLES, strict=True):
            await transaction.processes.add(a_stored_process(key, title=title))
    return {key: number for number, key in enumerate(keys, start=1)}


@pytest.mark.parametrize("order", ProcessOrder)
@pytest.mark.parametrize("size", [1, 2, 9])
async def test_processes_are_listed_in_an_order(store: Store, order: ProcessOrder, size: int) -> None:
    numbers = await add_titled(store)
    listed = await walk(lambda page: store.processes.page(page, order=order), first=size)
    assert [numbers[process.key] for process in listed] == ORDERED[order]


@pytest.mark.parametrize(
    ("process_filter", "found"),
    [
        (ProcessFilter(search="AN"), [2]),
        (ProcessFilter(search="MÖW"), [3, 4]),
        (ProcessFilter(search="o\N{COMBINING DIAERESIS}w"), [3, 4]),
        (ProcessFilter(search="grösse"), [7, 8]),
        (ProcessFilter(search="%"), [5]),
        (ProcessFilter(search="_"), [6]),
        (ProcessFilter(search="\\"), []),
        (ProcessFilter(search="CODE7"), [3]),
        (ProcessFilter(search="s1/c"), [2, 4, 6, 8]),
        (ProcessFilter(search="\U0001f600"), [9]),
        (ProcessFilter(search="code", namespace="ns1"), [2, 4, 6, 8]),
        (ProcessFilter(namespace="ns0"), [1, 3, 5, 7, 9]),
        (ProcessFilter(namespace="NS0"), []),
        (ProcessFilter(namespace="ns"), []),
        (ProcessFilter(namespace="\0"), []),
        (ProcessFilter(search="\0"), []),
        (ProcessFilter(search="half a character: \ud800"), []),
        (ProcessFilter(search="x" * MAX_SEARCH_LENGTH), []),
    ],
)
async def test_processes_are_found_by_a_part_of_title_or_name_in_any_case(
    store: Store, process_filter: ProcessFilter, found: list[int]
) -> None:
    numbers = await add_titled(store)
    for order, ordered in ORDERED.items():
        read = partial(store.processes.page, process_filter=process_filter, order=order)
        listed = await walk(read, first=2)
        assert [numbers[process.key] for process in listed] == [n for n in ordered if n in found]
    assert await store.processes.count(process_filter) == len(found)


async def test_a_search_is_bounded(store: Store) -> None:
    with pytest.raises(InvalidInput, match="Expected search to be at most 200 characters, but got"):
        await store.processes.page(PageRequest(first=1), ProcessFilter(search="x" * 201))


@pytest.mark.parametrize("order", ProcessOrder)
async def test_a_page_in_an_order_is_exact_although_processes_were_added_before_and_behind(
    store: Store, order: ProcessOrder
) -> None:
    numbers = await add_titled(store)
    page = await store.processes.page(PageRequest(first=4), order=order)
    async with store.transaction() as transaction:
        await transaction.processes.add(a_stored_process(a_key("0", "aa"), title="0"))
        await transaction.processes.add(a_stored_process(a_key("z", "zz"), title="\U0001f601"))
    after = PageRequest(first=20, after=page.sort_keys[-1])
    rest = await store.processes.page(after, order=order)
    seen = [numbers.get(process.key) for process in (*page.items, *rest.items)]
    assert seen == [*ORDERED[order], *([None, None] if order is ProcessOrder.CREATED else [None])]


@pytest.mark.parametrize("order", [ProcessOrder.NAME, ProcessOrder.TITLE])
async def test_a_cursor_of_a_hidden_process_shows_nothing(store: Store, order: ProcessOrder) -> None:
    await add_titled(store)
    hidden = (await store.processes.page(PageRequest(first=2), namespaces=frozenset({"ns0"}))).sort_keys
    for sort_key in hidden:
        after = PageRequest(first=9, after=sort_key)
        page = await store.processes.page(after, order=order, namespaces=frozenset({"ns1"}))
        assert page.items == ()


async def test_a_page_behind_the_end_is_empty(store: Store) -> None:
    await add(store, ORDERS)
    page = await store.processes.page(PageRequest(first=2, after=2**63 - 1))
    assert (page.items, page.sort_keys, page.has_next) == ((), (), False)


async def test_the_latest_published_version_is_the_highest_published_one(store: Store) -> None:
    await add(store, ORDERS)
    async with store.transaction() as transaction:
        await transaction.processes.put_version(ORDERS, a_version(3, DRAFT), None)
        await transaction.processes.put_version(ORDERS, a_version(2), None)
        await transaction.processes.put_version(ORDERS, a_version(1), None)
        within = await transaction.processes.find(ORDERS)
    found = await store.processes.find(ORDERS)
    assert found is not None
    assert found == within
    assert found.latest_published == 2
    assert (await store.processes.find_many([ORDERS]))[ORDERS] == found
    assert await walk(store.processes.page) == [found]


async def test_a_process_with_only_a_draft_has_no_published_version(store: Store) -> None:
    await a_process(store, published=0, draft=True)
    found = await store.processes.find(ORDERS)
    assert found is not None
    assert found.latest_published is None


async def test_versions_are_listed_by_number(store: Store) -> None:
    await add(store, ORDERS, INVOICES)
    async with store.transaction() as transaction:
        for number in (10, 2, 1):
            await transaction.processes.put_version(ORDERS, a_version(number), None)
        await transaction.processes.put_version(INVOICES, a_version(1, DRAFT), None)
        within = await transaction.processes.lock_versions([INVOICES, ORDERS, UNKNOWN_PROCESS])
    expected = {
        INVOICES: (a_version(1, DRAFT),),
        ORDERS: (a_version(1), a_version(2), a_version(10)),
        UNKNOWN_PROCESS: (),
    }
    assert within == expected
    assert await store.processes.versions([ORDERS, UNKNOWN_PROCESS, INVOICES, ORDERS]) == expected


async def test_a_model_is_kept_byte_by_byte(store: Store) -> None:
    model = bytes(range(256)) * 1_000
    await add(store, ORDERS, INVOICES)
    async with store.transaction() as transaction:
        await transaction.processes.put_version(ORDERS, a_version(1, has_model=True), model)
        await transaction.processes.put_version(ORDERS, a_version(2), None)
    assert await store.processes.model(ORDERS, ONE) == a_model(model)
    assert await store.processes.model(ORDERS, TWO) is None
    assert await store.processes.model(ORDERS, THREE) is None
    assert await store.processes.model(INVOICES, ONE) is None
    assert await store.processes.model(UNKNOWN_PROCESS, ONE) is None
    versions = (await store.processes.versions([ORDERS]))[ORDERS]
    assert [version.has_model for version in versions] == [True, False]


async def test_a_version_is_found_with_the_process_that_it_means(store: Store) -> None:
    await add(store, ORDERS)
    meant = [
        replace(a_version(number, DRAFT), model_process_id=process_id)
        for number, process_id in ((1, "заказ"), (2, "p" * 500))
    ]
    async with store.transaction() as transaction:
        for version in meant:
            await transaction.processes.put_version(ORDERS, version, b"<model/>")
    assert (await store.processes.versions([ORDERS]))[ORDERS] == tuple(meant)
    for version in meant:
        model = await store.processes.model(ORDERS, version.number)
        assert model == VersionModel(document=b"<model/>", process_id=str(version.model_process_id))
    async with store.transaction() as transaction:
        await transaction.processes.put_version(ORDERS, replace(meant[0], model_process_id="p"), b"<model/>")
    model = await store.processes.model(ORDERS, ONE)
    assert model == VersionModel(document=b"<model/>", process_id="p")


async def test_a_version_put_again_takes_the_place_of_the_former(store: Store) -> None:
    await add(store, ORDERS)
    async with store.transaction() as transaction:
        await transaction.processes.put_version(ORDERS, a_version(1, DRAFT, has_model=True), b"<old/>")
        await transaction.processes.put_version(ORDERS, a_version(2, DRAFT, has_model=True), b"<other/>")
    async with store.transaction() as transaction:
        await transaction.processes.put_version(ORDERS, a_version(1), None)
    assert (await store.processes.versions([ORDERS]))[ORDERS] == (
        a_version(1),
        a_version(2, DRAFT, has_model=True),
    )
    assert await store.processes.model(ORDERS, ONE) is None
    assert await store.processes.model(ORDERS, TWO) == a_model(b"<other/>")


async def test_publishing_changes_state_and_time_of_one_version(store: Store) -> None:
    await add(store, ORDERS, INVOICES)
    async with store.transaction() as transaction:
        for key in (ORDERS, INVOICES):
            await transaction.processes.put_version(key, a_version(1, DRAFT, has_model=True), b"<one/>")
            await transaction.processes.put_version(key, a_version(2, DRAFT), None)
    async with store.transaction() as transaction:
        await transaction.processes.publish(ORDERS, ONE, EVENING)
    versions = await store.processes.versions([ORDERS, INVOICES])
    assert versions[ORDERS] == (a_version(1, has_model=True), a_version(2, DRAFT))
    assert versions[INVOICES] == (a_version(1, DRAFT, has_model=True), a_version(2, DRAFT))
    assert await store.processes.model(ORDERS, ONE) == a_model(b"<one/>")


async def test_more_than_a_thousand_processes_are_read_at_once(store: Store) -> None:
    keys = [a_key(f"process-{number:04}") for number in range(1_100)]
    async with store.transaction() as transaction:
        for key in keys:
            await transaction.processes.add(a_stored_process(key))
            await transaction.processes.put_version(key, a_version(1), None)
        for key in (keys[0], keys[-1]):
            await transaction.instances.register(key, [an_instance(process=key), an_instance(process=key)])
    requested_keys = [*reversed(keys), UNKNOWN_PROCESS]
    assert [process.key for process in await walk(store.processes.page)] == keys
    assert set(await store.processes.find_many(requested_keys)) == set(keys)
    versions = await store.processes.versions(requested_keys)
    assert versions == {**dict.fromkeys(keys, (a_version(1),)), UNKNOWN_PROCESS: ()}
    pages = await store.instances.pages(requested_keys, InstanceFilter(), PageRequest(first=1))
    assert list(pages) == requested_keys
    assert [key for key in requested_keys if pages[key].has_next] == [keys[-1], keys[0]]
    cohorts = await store.instances.cohorts(requested_keys)
    assert list(cohorts) == requested_keys
    assert [key for key in requested_keys if cohorts[key]] == [keys[-1], keys[0]]


async def test_the_writes_of_a_transaction_are_visible_only_after_its_commit(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.processes.add(a_stored_process())
        await transaction.processes.put_version(ORDERS, a_version(1), None)
        await transaction.instances.register(ORDERS, [an_instance(1)])
        assert await store.processes.find(ORDERS) is None
        assert await store.processes.versions([ORDERS]) == {ORDERS: ()}
        assert await instances_of(store, ORDERS) == []
    assert (await store.processes.versions([ORDERS]))[ORDERS] == (a_version(1),)
    assert await instances_of(store, ORDERS) == [an_instance(1)]


async def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    await a_process(store, INVOICES, holding=[an_instance(1, process=INVOICES)])
    before = await everything_in(store)
    async with a_transaction_that_fails(store) as transaction:
        await transaction.processes.add(a_stored_process())
        await transaction.processes.put_version(ORDERS, a_version(1, has_model=True), b"<model/>")
        await transaction.instances.register(ORDERS, instances(range(10, 20)))
        await transaction.processes.put_version(INVOICES, a_version(3), None)
        await transaction.processes.publish(INVOICES, ONE, EVENING)
    assert await everything_in(store) == before
    assert await store.processes.find(ORDERS) is None
    assert await store.processes.model(ORDERS, ONE) is None
    assert await instances_of(store, ORDERS) == []


async def test_a_rolled_back_process_can_be_added_again_with_other_data(store: Store) -> None:
    """A cache must not keep surrogate keys of a rolled back transaction."""
    async with a_transaction_that_fails(store) as transaction:
        await transaction.processes.add(a_stored_process(ORDERS))
        await transaction.processes.add(a_stored_process(INVOICES))
        for key, position in ((ORDERS, at("a")), (INVOICES, at("b"))):
            await transaction.processes.put_version(key, a_version(1), None)
            await transaction.instances.register(key, [an_instance(process=key, position=position)])
    first = an_instance(1, process=INVOICES, position=at("c"))
    second = an_instance(2, process=ORDERS, position=at("b"))
    third = an_instance(3, process=ORDERS, position=at("a"))
    await a_process(store, INVOICES, published=1, holding=[first])
    await a_process(store, ORDERS, published=1, holding=[second, third])
    assert await instances_of(store, INVOICES) == [first]
    assert await instances_of(store, ORDERS) == [second, third]
    assert [process.key for process in await walk(store.processes.page)] == [INVOICES, ORDERS]


async def test_a_position_that_was_rolled_back_can_be_added_again(store: Store) -> None:
    await a_process(store, holding=[an_instance(1, position=at("a"))])
    async with a_transaction_that_fails(store) as transaction:
        await transaction.instances.register(ORDERS, [an_instance(2, position=at("b"))])
    later = [an_instance(3, position=at("c")), an_instance(2, position=at("b"))]
    async with store.transaction() as transaction:
        await transaction.instances.register(ORDERS, later)
    assert await instances_of(store, ORDERS) == [an_instance(1, position=at("a")), *later]


async def test_a_model_is_read_within_the_transaction_that_put_it(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.processes.add(a_stored_process())
        await transaction.processes.put_version(ORDERS, a_version(1, has_model=True), b"<one/>")
        assert await transaction.processes.model(ORDERS, a_version(1).number) == a_model(b"<one/>")
        assert await transaction.processes.model(ORDERS, a_version(2).number) is None
    assert await store.processes.model(ORDERS, a_version(1).number) == a_model(b"<one/>")


async def test_a_model_that_was_rolled_back_is_not_cached(store: Store) -> None:
    await a_process(store, published=0)
    async with a_transaction_that_fails(store) as transaction:
        await transaction.processes.put_version(ORDERS, a_version(1, has_model=True), b"<old/>")
        assert await transaction.processes.model(ORDERS, a_version(1).number) == a_model(b"<old/>")
    assert await store.processes.model(ORDERS, a_version(1).number) is None
    async with store.transaction() as transaction:
        await transaction.processes.put_version(ORDERS, a_version(1, has_model=True), b"<new/>")
    assert await store.processes.model(ORDERS, a_version(1).number) == a_model(b"<new/>")
    async with store.transaction() as transaction:
        assert await transaction.processes.model(ORDERS, a_version(1).number) == a_model(b"<new/>")


async def test_the_model_of_a_draft_is_never_kept(store: Store) -> None:
    await a_process(store, published=0)
    for model in (b"<one/>", b"<two/>", None):
        async with store.transaction() as transaction:
            draft = a_version(1, DRAFT, has_model=model is not None)
            await transaction.processes.put_version(ORDERS, draft, model)
        expected = None if model is None else a_model(model)
        assert await store.processes.model(ORDERS, draft.number) == expected
        async with store.transaction() as transaction:
            assert await transaction.processes.model(ORDERS, draft.number) == expected
