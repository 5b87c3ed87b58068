"""A selection has cohorts, and a cohort has instances, before an upgrade runs."""

from collections.abc import Iterable

import pytest

from uplift.domain import (
    AllActive,
    Cohort,
    CountedCohort,
    Instance,
    InstanceId,
    Matching,
    Selection,
    Status,
    all_active,
    by_ids,
    matching,
    report_instances,
)
from uplift.domain.model.paging import Page, PageRequest
from uplift.domain.model.process import ProcessKey
from uplift.domain.ports import SelectedCohorts, Store
from uplift.storage.memory import InMemoryStore
from uplift.testing.builders import (
    ADMIN,
    INVOICES,
    ORDERS,
    UNKNOWN_PROCESS,
    a_cohort,
    a_process,
    a_report,
    an_id,
    an_instance,
    at,
    instances,
)
from uplift.testing.stores import everything_in, walk

pytestmark = pytest.mark.anyio

HELD = [
    *instances([1, 2, 3], position=at("approve")),
    an_instance(4, position=at("pay")),
    an_instance(5, version=2),
    an_instance(6, status=Status.RUNNING),
    an_instance(7, status=Status.COMPLETED),
    an_instance(8, position=at("pay", "approve")),
    an_instance(9, position=at()),
    an_instance(10, status=Status.FAILED, position=at("pay")),
]
OTHERS = instances([20, 21], process=INVOICES)

SELECTIONS = {
    "all active": all_active(),
    "all active except some": all_active(map(an_id, [2, 5])),
    "all active except ended, unknown and foreign ones": all_active(map(an_id, [7, 99, 20])),
    "all active except all": all_active(map(an_id, range(30))),
    "all active that meet no particular condition": matching(),
    "those of two versions": matching(versions=[2, 1]),
    "those at an element": matching(elements=["pay"]),
    "those at some elements except some": matching(
        elements=["pay", "check", "approve"], excluded=map(an_id, [1, 4, 7, 99, 20])
    ),
    "those of both statuses": matching(statuses=[Status.PENDING, Status.RUNNING], versions=[1]),
    "the first ones at an element except some": matching(
        elements=["approve"], limit=3, excluded=map(an_id, [2, 6, 99])
    ),
    "more than there are": matching(versions=[1], limit=100, excluded=[an_id(1)]),
    "the first of nobody": matching(versions=[2], elements=["pay"], limit=1, excluded=[an_id(5)]),
    "ids": by_ids(map(an_id, [6, 1, 4, 7])),
    "ids, some unknown and foreign": by_ids(map(an_id, [3, 99, 20, 10])),
    "ids, none of the process": by_ids(map(an_id, [99, 20])),
}
EACH_SELECTION = pytest.mark.parametrize("selection", SELECTIONS.values(), ids=SELECTIONS)


def counts(selected: SelectedCohorts) -> dict[Cohort, int]:
    return {counted.cohort: counted.count for counted in selected.cohorts}


async def a_world(store: Store) -> None:
    await a_process(store, INVOICES, holding=OTHERS)
    await a_process(store, holding=HELD)


async def a_page(
    store: Store, selection: Selection, cohort: Cohort, *, first: int = 9, key: ProcessKey = ORDERS
) -> Page[Instance]:
    return (await store.instances.cohort_pages(key, selection, [cohort], PageRequest(first=first)))[cohort]


async def members(
    store: Store, selection: Selection, cohort: Cohort, *, first: int = 1_000
) -> list[Instance]:
    async def read(page: PageRequest) -> Page[Instance]:
        return (await store.instances.cohort_pages(ORDERS, selection, [cohort], page))[cohort]

    return await walk(read, first=first)


async def test_all_active_counts_instances_that_have_not_ended(store: Store) -> None:
    await a_world(store)
    selected = await store.instances.selected_cohorts(ORDERS, all_active())
    assert counts(selected) == {
        a_cohort(): 3,
        a_cohort(position=at("pay")): 1,
        a_cohort(position=at("approve", "pay")): 1,
        a_cohort(position=at()): 1,
        a_cohort(status=Status.RUNNING): 1,
        a_cohort(2): 1,
    }
    assert (selected.not_found, selected.excluded) == (0, 0)


@pytest.mark.parametrize(
    ("left_out", "cohorts", "excluded"),
    [
        ([2], {a_cohort(): 2, a_cohort(2): 1}, 1),
        ([1, 2, 3], {a_cohort(2): 1}, 3),
        ([1, 1, 5], {a_cohort(): 2}, 2),
        ([7, 99, 20], {a_cohort(): 3, a_cohort(2): 1}, 0),
        ([1, 2, 3, 5, 7, 20], {}, 4),
    ],
)
async def test_only_active_instances_of_the_process_count_as_excluded(
    store: Store, left_out: list[int], cohorts: dict[Cohort, int], excluded: int
) -> None:
    await a_process(store, INVOICES, holding=OTHERS)
    held = [*instances([1, 2, 3]), an_instance(5, version=2), an_instance(7, status=Status.COMPLETED)]
    await a_process(store, holding=held)
    selected = await store.instances.selected_cohorts(ORDERS, all_active(map(an_id, left_out)))
    assert (counts(selected), selected.not_found, selected.excluded) == (cohorts, 0, excluded)


async def test_ids_count_instances_of_any_status_and_unknown_ids(store: Store) -> None:
    await a_world(store)
    selected = await store.instances.selected_cohorts(ORDERS, by_ids(map(an_id, [7, 1, 99, 2, 20, 6, 1])))
    assert counts(selected) == {
        a_cohort(): 2,
        a_cohort(status=Status.RUNNING): 1,
        a_cohort(status=Status.COMPLETED): 1,
    }
    assert (selected.not_found, selected.excluded) == (2, 0)


async def test_selected_cohorts_come_by_version_and_status_the_largest_first(store: Store) -> None:
    await a_world(store)
    selected = await store.instances.selected_cohorts(ORDERS, by_ids(map(an_id, range(1, 11))))
    first, *_ = selected.cohorts
    assert first == CountedCohort(cohort=a_cohort(), count=3)
    order = [(counted.cohort.version, counted.cohort.status) for counted in selected.cohorts]
    assert order == sorted(order, key=lambda pair: (pair[0], list(Status).index(pair[1])))


@EACH_SELECTION
async def test_a_process_that_does_not_exist_has_nothing_selected(store: Store, selection: Selection) -> None:
    await a_world(store)
    assert await store.instances.selected_cohorts(UNKNOWN_PROCESS, selection) == SelectedCohorts(
        cohorts=(), not_found=selection.size or 0, excluded=0
    )
    page = await a_page(store, selection, a_cohort(), key=UNKNOWN_PROCESS)
    assert (page.items, page.has_next) == ((), False)


@EACH_SELECTION
async def test_every_store_agrees_with_the_store_in_memory(store: Store, selection: Selection) -> None:
    model = InMemoryStore()
    await a_world(store)
    await a_world(model)
    selected, expected = [
        await either.instances.selected_cohorts(ORDERS, selection) for either in (store, model)
    ]
    assert counts(selected) == counts(expected)
    assert (selected.not_found, selected.excluded) == (expected.not_found, expected.excluded)
    for cohort, count in counts(selected).items():
        inside = await members(store, selection, cohort)
        assert inside == await members(model, selection, cohort)
        assert len(inside) == count


@EACH_SELECTION
async def test_each_instance_of_a_selection_is_in_just_one_cohort(store: Store, selection: Selection) -> None:
    await a_world(store)
    selected = await store.instances.selected_cohorts(ORDERS, selection)
    inside = [
        instance.id
        for cohort in counts(selected)
        for instance in await members(store, selection, cohort, first=2)
    ]
    assert len(inside) == len(set(inside))
    assert set(inside) == _meant(selection)


def _meant(selection: Selection) -> set[InstanceId]:
    active = {instance.id for instance in HELD if instance.status in (Status.PENDING, Status.RUNNING)}
    if isinstance(selection, AllActive):
        return active - set(selection.excluded)
    if isinstance(selection, Matching):
        met = [
            instance.id
            for instance in HELD
            if selection.conditions.are_met_by(a_cohort(instance.version, instance.status, instance.position))
        ]
        rest = [instance_id for instance_id in met if instance_id not in selection.excluded]
        return set(rest[: selection.conditions.limit])
    return {instance.id for instance in HELD} & set(selection.ids)


@pytest.mark.parametrize("selection", [all_active(), by_ids(map(an_id, reversed(range(30))))], ids=str)
@pytest.mark.parametrize("first", [1, 2, 3, 7, 8])
async def test_a_cohort_is_paged_in_the_order_of_registration(
    store: Store, selection: Selection, first: int
) -> None:
    waiting = instances([5, 3, 9, 1, 7, 2, 8])
    passing = instances([4, 6], position=at("pay"))
    await a_process(store, holding=[*waiting[:3], *passing, *waiting[3:]])
    assert await members(store, selection, a_cohort(), first=first) == waiting


async def test_several_cohorts_are_paged_one_by_one(store: Store) -> None:
    held = [*instances([1, 2, 3]), *instances([4, 5], version=2), an_instance(6, position=at("pay"))]
    await a_process(store, holding=held)
    cohorts = [a_cohort(2), a_cohort(), a_cohort(position=at("pay"))]
    pages = await store.instances.cohort_pages(ORDERS, all_active(), cohorts, PageRequest(first=2))
    assert {cohort: (page.items, page.has_next) for cohort, page in pages.items()} == {
        a_cohort(2): (tuple(held[3:5]), False),
        a_cohort(): (tuple(held[:2]), True),
        a_cohort(position=at("pay")): ((held[5],), False),
    }
    rest = await store.instances.cohort_pages(
        ORDERS, all_active(), cohorts, PageRequest(first=2, after=pages[a_cohort()].sort_keys[-1])
    )
    assert [page.items for page in rest.values()] == [tuple(held[3:5]), (held[2],), (held[5],)]


@pytest.mark.parametrize(
    "cohort",
    [
        a_cohort(position=at("nowhere")),
        a_cohort(position=at("approve", "nowhere")),
        a_cohort(9),
        a_cohort(status=Status.CANCELLED),
        a_cohort(position=at("pay"), status=Status.RUNNING),
        a_cohort(status=Status.COMPLETED),
    ],
    ids=range(6),
)
async def test_a_cohort_without_instances_has_an_empty_page(store: Store, cohort: Cohort) -> None:
    await a_world(store)
    alone = await a_page(store, all_active(), cohort)
    assert (alone.items, alone.sort_keys, alone.has_next) == ((), (), False)
    beside = await store.instances.cohort_pages(
        ORDERS, all_active(), [cohort, a_cohort()], PageRequest(first=9)
    )
    assert [len(page.items) for page in beside.values()] == [0, 3]


async def test_no_cohorts_have_no_pages(store: Store) -> None:
    await a_world(store)
    assert await store.instances.cohort_pages(ORDERS, all_active(), [], PageRequest(first=9)) == {}


async def test_the_same_cohort_of_another_process_is_another(store: Store) -> None:
    await a_world(store)
    everyone = by_ids(map(an_id, range(30)))
    theirs = await a_page(store, everyone, a_cohort(), key=INVOICES)
    assert theirs.items == tuple(OTHERS)
    assert (await a_page(store, everyone, a_cohort())).items == tuple(HELD[:3])


async def test_an_excluded_instance_is_in_no_page(store: Store) -> None:
    await a_world(store)
    page = await a_page(store, all_active(map(an_id, [1, 3])), a_cohort())
    assert page.items == (HELD[1],)


async def test_instances_that_move_between_pages_shift_nothing(store: Store) -> None:
    await a_process(store, holding=instances(range(1, 7)))
    seen = await a_page(store, all_active(), a_cohort(), first=2)
    gone = [a_report(1, position=at("pay")), a_report(4, status=Status.RUNNING)]
    await report_instances(store, reports=gone, caller=ADMIN)
    after = PageRequest(first=9, after=seen.sort_keys[-1])
    rest = (await store.instances.cohort_pages(ORDERS, all_active(), [a_cohort()], after))[a_cohort()]
    assert seen.items == tuple(instances([1, 2]))
    assert rest.items == tuple(instances([3, 5, 6]))


@pytest.mark.parametrize("selection", [all_active(), by_ids(map(an_id, range(1_200)))], ids=["all", "ids"])
async def test_more_than_a_thousand_cohorts_are_counted_and_paged_at_once(
    store: Store, selection: Selection
) -> None:
    held = [an_instance(number, position=at(f"task {number % 600}")) for number in range(1_200)]
    await a_process(store, holding=held)
    selected = await store.instances.selected_cohorts(ORDERS, selection)
    cohorts = [counted.cohort for counted in selected.cohorts]
    assert {counted.count for counted in selected.cohorts} == {2}
    pages = await store.instances.cohort_pages(ORDERS, selection, cohorts, PageRequest(first=1))
    assert list(pages) == cohorts
    assert _ids(pages.values()) == {instance.id for instance in held[:600]}
    assert all(page.has_next for page in pages.values())


def _ids(pages: Iterable[Page[Instance]]) -> set[InstanceId]:
    return {instance.id for page in pages for instance in page.items}


@EACH_SELECTION
async def test_asking_writes_nothing(store: Store, selection: Selection) -> None:
    await a_world(store)
    before = await everything_in(store)
    await store.instances.selected_cohorts(ORDERS, selection)
    await store.instances.cohort_pages(ORDERS, selection, [a_cohort(), a_cohort(3)], PageRequest(first=9))
    assert await everything_in(store) == before
