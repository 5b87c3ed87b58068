"""What every store says of a selection before anything is written."""

import pytest

from domain import AllActive, Selection, Status, VersionState, all_active, by_ids
from domain.paging import PageRequest
from domain.ports import SelectedCohorts, Store
from tests.support.builders import (
    INVOICES,
    ORDERS,
    UNKNOWN_PROCESS,
    a_cohort,
    a_process,
    a_stored_process,
    a_version,
    an_id,
    an_instance,
    at,
    instances,
)
from tests.support.stores import a_transaction_that_fails, everything_in, walk

pytestmark = pytest.mark.anyio

HERE, THERE = at("here"), at("there")


async def fill(store: Store) -> None:
    await a_process(store, INVOICES, holding=[an_instance(20, process=INVOICES, position=THERE)])
    await a_process(
        store,
        ORDERS,
        holding=[
            *instances([1, 2, 3], position=HERE),
            an_instance(4, position=THERE),
            an_instance(5, position=HERE, status=Status.RUNNING),
            an_instance(6, position=HERE, status=Status.FAILED),
            an_instance(7, position=HERE, version=2),
        ],
    )


def counted(selected: SelectedCohorts) -> dict[object, int]:
    return {one.cohort: one.count for one in selected.cohorts}


async def test_named_instances_are_counted_by_cohort(store: Store) -> None:
    await fill(store)
    before = await everything_in(store)
    selected = await store.selected_cohorts(ORDERS, by_ids(map(an_id, [6, 1, 4, 20, 2, 30, 1])))
    assert counted(selected) == {
        a_cohort(position=HERE): 2,
        a_cohort(position=THERE): 1,
        a_cohort(position=HERE, status=Status.FAILED): 1,
    }
    assert (selected.not_found, selected.excluded) == (2, 0)
    assert await everything_in(store) == before


async def test_all_active_instances_but_some_are_counted_by_cohort(store: Store) -> None:
    await fill(store)
    selected = await store.selected_cohorts(ORDERS, all_active(map(an_id, [1, 4, 6, 20, 30])))
    assert counted(selected) == {
        a_cohort(position=HERE): 2,
        a_cohort(position=HERE, status=Status.RUNNING): 1,
        a_cohort(2, position=HERE): 1,
    }
    assert (selected.not_found, selected.excluded) == (0, 2)


async def test_selected_cohorts_come_by_version_and_status_the_largest_first(store: Store) -> None:
    await fill(store)
    selected = await store.selected_cohorts(ORDERS, all_active())
    assert [one.cohort for one in selected.cohorts] == [
        a_cohort(position=HERE),
        a_cohort(position=THERE),
        a_cohort(position=HERE, status=Status.RUNNING),
        a_cohort(2, position=HERE),
    ]


@pytest.mark.parametrize("selection", [all_active([an_id(1)]), by_ids([an_id(30)])], ids=str)
async def test_an_empty_process_has_no_selected_cohorts(store: Store, selection: Selection) -> None:
    await a_process(store)
    not_found = 0 if isinstance(selection, AllActive) else 1
    assert await store.selected_cohorts(ORDERS, selection) == SelectedCohorts(
        cohorts=(), not_found=not_found, excluded=0
    )


@pytest.mark.parametrize(
    ("selection", "numbers"),
    [
        (all_active([an_id(2)]), [1, 3]),
        (by_ids(map(an_id, [3, 2, 6, 20, 30])), [2, 3]),
    ],
    ids=["all active", "by ids"],
)
async def test_the_instances_of_a_selected_cohort_are_listed(
    store: Store, selection: Selection, numbers: list[int]
) -> None:
    await fill(store)
    cohort = a_cohort(position=HERE)
    for size in (1, 2, 5):

        async def read(page: PageRequest) -> object:
            return (await store.cohort_pages(ORDERS, selection, [cohort], page))[cohort]

        assert await walk(read, first=size) == instances(numbers, position=HERE)


async def test_several_cohorts_are_listed_at_once(store: Store) -> None:
    await fill(store)
    asked = [
        a_cohort(position=THERE),
        a_cohort(position=at("nowhere")),
        a_cohort(position=HERE),
        a_cohort(9, position=HERE),
        a_cohort(position=HERE, status=Status.FAILED),
    ]
    pages = await store.cohort_pages(ORDERS, all_active(), asked, PageRequest(first=2))
    assert {cohort: (page.items, page.has_next) for cohort, page in pages.items()} == {
        asked[0]: ((an_instance(4, position=THERE),), False),
        asked[1]: ((), False),
        asked[2]: (tuple(instances([1, 2], position=HERE)), True),
        asked[3]: ((), False),
        asked[4]: ((), False),
    }
    assert await store.cohort_pages(ORDERS, all_active(), [], PageRequest(first=2)) == {}


async def test_an_unknown_process_has_no_selection(store: Store) -> None:
    await fill(store)
    selected = await store.selected_cohorts(UNKNOWN_PROCESS, by_ids(map(an_id, [1, 2])))
    assert selected == SelectedCohorts(cohorts=(), not_found=2, excluded=0)
    selected = await store.selected_cohorts(UNKNOWN_PROCESS, all_active([an_id(1)]))
    assert selected == SelectedCohorts(cohorts=(), not_found=0, excluded=0)
    cohort = a_cohort(position=HERE)
    pages = await store.cohort_pages(UNKNOWN_PROCESS, all_active(), [cohort], PageRequest(first=2))
    assert pages[cohort].items == ()


async def test_more_than_500_selected_cohorts_are_listed_at_once(store: Store) -> None:
    held = [an_instance(n, position=at(f"task {n % 600}")) for n in range(1_200)]
    await a_process(store, holding=held)
    selection = all_active([an_id(0)])
    selected = await store.selected_cohorts(ORDERS, selection)
    assert sum(one.count for one in selected.cohorts) == 1_199
    cohorts = [one.cohort for one in selected.cohorts]
    pages = await store.cohort_pages(ORDERS, selection, cohorts, PageRequest(first=1))
    assert sum(page.has_next for page in pages.values()) == 599


async def test_a_model_is_read_within_the_transaction_that_put_it(store: Store) -> None:
    async with store.transaction() as transaction:
        await transaction.add_process(a_stored_process())
        await transaction.put_version(ORDERS, a_version(1, has_model=True), b"<one/>")
        assert await transaction.model(ORDERS, a_version(1).number) == b"<one/>"
        assert await transaction.model(ORDERS, a_version(2).number) is None
    assert await store.model(ORDERS, a_version(1).number) == b"<one/>"


async def test_a_model_that_was_rolled_back_is_forgotten(store: Store) -> None:
    await a_process(store, published=0)
    async with a_transaction_that_fails(store) as transaction:
        await transaction.put_version(ORDERS, a_version(1, has_model=True), b"<old/>")
        assert await transaction.model(ORDERS, a_version(1).number) == b"<old/>"
    assert await store.model(ORDERS, a_version(1).number) is None
    async with store.transaction() as transaction:
        await transaction.put_version(ORDERS, a_version(1, has_model=True), b"<new/>")
    assert await store.model(ORDERS, a_version(1).number) == b"<new/>"
    async with store.transaction() as transaction:
        assert await transaction.model(ORDERS, a_version(1).number) == b"<new/>"


async def test_the_model_of_a_draft_is_never_kept(store: Store) -> None:
    await a_process(store, published=0)
    for model in (b"<one/>", b"<two/>", None):
        async with store.transaction() as transaction:
            draft = a_version(1, VersionState.DRAFT, has_model=model is not None)
            await transaction.put_version(ORDERS, draft, model)
        assert await store.model(ORDERS, draft.number) == model
        async with store.transaction() as transaction:
            assert await transaction.model(ORDERS, draft.number) == model
