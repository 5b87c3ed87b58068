"""Instances are registered, reported, found, listed and counted."""

from asyncio import gather

import pytest

from uplift.domain import (
    CountedCohort,
    Instance,
    InvalidInput,
    ProcessKey,
    Status,
    VersionNumber,
    report_instances,
)
from uplift.domain.model.instance import ElementId
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import InstanceFilter, Store
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
    ids_of,
    instances,
)
from uplift.testing.stores import everything_in, instances_of

pytestmark = pytest.mark.anyio

STRANGE_POSITIONS = [
    at(),
    at("a"),
    at("a", "b"),
    at("a,b"),
    at('a","b'),
    at("'; DROP TABLE instance; --"),
    at("\\", '"', "'"),
    at("Größe", "订单", "e\N{COMBINING ACUTE ACCENT}"),
    at("\N{LATIN SMALL LETTER E WITH ACUTE}"),
    at("\N{GRINNING FACE}"),
    at("A"),
    at("[]"),
    frozenset(ElementId(f"element {number}") for number in range(200)),
]


async def register(store: Store, *registered: Instance, process_key: ProcessKey = ORDERS) -> None:
    async with store.transaction() as transaction:
        await transaction.instances.register(process_key, registered)


async def test_instances_are_found_in_the_order_of_the_ids(store: Store) -> None:
    mine = an_instance(1, position=at("a"), status=Status.FAILED)
    other = an_instance(2, version=2, process=INVOICES)
    await a_process(store, ORDERS, holding=[mine])
    await a_process(store, INVOICES, holding=[other])
    found = await store.instances.find_many([other.id, an_id(9), mine.id, other.id])
    assert list(found.items()) == [(other.id, other), (mine.id, mine)]
    assert await store.instances.find_many([]) == {}


async def test_the_process_of_each_instance_that_exists_is_found(store: Store) -> None:
    await a_process(store, ORDERS, holding=[an_instance(1)])
    await a_process(store, INVOICES, holding=[an_instance(2, process=INVOICES)])
    async with store.transaction() as transaction:
        assert await transaction.instances.lock([an_id(1), an_id(3), an_id(2), an_id(1)]) == {
            an_id(1): ORDERS,
            an_id(2): INVOICES,
        }
        assert await transaction.instances.lock([]) == {}


async def test_instances_are_listed_in_the_order_of_their_registration(store: Store) -> None:
    first, later = instances([3, 1, 2]), instances([9, 5])
    await a_process(store, holding=first)
    await register(store, *later)
    for size in (1, 2, 3, 5, 6):
        assert await instances_of(store, ORDERS, first=size) == [*first, *later]


async def test_an_instance_registered_again_keeps_its_place_and_its_version(store: Store) -> None:
    await a_process(store, holding=instances([1, 2, 3]))
    again = an_instance(2, version=2, status=Status.RUNNING, position=at("ship"))
    await register(store, an_instance(4), again)
    expected = an_instance(2, version=1, status=Status.RUNNING, position=at("ship"))
    assert await instances_of(store, ORDERS) == [an_instance(1), expected, an_instance(3), an_instance(4)]


async def test_a_report_changes_status_and_position_of_the_instances_it_names(store: Store) -> None:
    await a_process(store, holding=instances([1, 2, 3], version=2))
    async with store.transaction() as transaction:
        await transaction.instances.report(
            ORDERS,
            [a_report(3, status=Status.FAILED, position=at("x")), a_report(1, position=at("y", "z"))],
        )
    assert await instances_of(store, ORDERS) == [
        an_instance(1, version=2, position=at("y", "z")),
        an_instance(2, version=2),
        an_instance(3, version=2, status=Status.FAILED, position=at("x")),
    ]


async def test_of_several_reports_on_an_instance_the_last_counts(store: Store) -> None:
    await a_process(store, holding=instances([1, 2]))
    async with store.transaction() as transaction:
        await transaction.instances.report(
            ORDERS, [a_report(1, position=at("x")), a_report(1, status=Status.FAILED, position=at("y"))]
        )
    assert await instances_of(store, ORDERS) == [
        an_instance(1, status=Status.FAILED, position=at("y")),
        an_instance(2),
    ]


async def test_many_instances_of_which_some_are_known_are_registered_at_once(store: Store) -> None:
    known = instances(range(0, 3_000, 3))
    await a_process(store, holding=known)
    again = [an_instance(number, version=2, position=at("ship")) for number in range(2_999, -1, -1)]
    await register(store, *again)
    ids = {instance.id for instance in known}
    assert await instances_of(store, ORDERS) == [
        *instances(range(0, 3_000, 3), position=at("ship")),
        *(instance for instance in again if instance.id not in ids),
    ]


async def test_to_register_or_report_nothing_changes_nothing(store: Store) -> None:
    await a_process(store, holding=[an_instance(1)])
    before = await everything_in(store)
    async with store.transaction() as transaction:
        await transaction.instances.register(ORDERS, [])
        await transaction.instances.report(ORDERS, [])
    assert await everything_in(store) == before


FILTERED: list[tuple[InstanceFilter, list[int]]] = [
    (InstanceFilter(), [1, 2, 3, 4, 5, 6]),
    (InstanceFilter(statuses=frozenset({Status.PENDING})), [1, 2, 5]),
    (InstanceFilter(statuses=frozenset({Status.RUNNING})), [3]),
    (InstanceFilter(statuses=frozenset({Status.COMPLETED})), [4]),
    (InstanceFilter(statuses=frozenset({Status.CANCELLED})), [6]),
    (InstanceFilter(statuses=frozenset({Status.FAILED})), []),
    (InstanceFilter(versions=frozenset({VersionNumber(2)})), [2, 4, 5, 6]),
    (InstanceFilter(versions=frozenset({VersionNumber(2)}), statuses=frozenset({Status.PENDING})), [2, 5]),
    (InstanceFilter(versions=frozenset({VersionNumber(3)})), []),
    (InstanceFilter(statuses=frozenset({Status.PENDING, Status.FAILED, Status.CANCELLED})), [1, 2, 5, 6]),
    (InstanceFilter(statuses=frozenset({Status.PENDING, Status.RUNNING})), [1, 2, 3, 5]),
    (InstanceFilter(statuses=frozenset()), []),
    (InstanceFilter(versions=frozenset(map(VersionNumber, (1, 2, 3)))), [1, 2, 3, 4, 5, 6]),
    (InstanceFilter(elements=at("pay")), [5, 6]),
    (InstanceFilter(elements=at("pay", "approve")), [1, 2, 3, 4, 5, 6]),
    (InstanceFilter(elements=at("pay"), statuses=frozenset({Status.PENDING})), [5]),
    (InstanceFilter(elements=at("PAY", "pa", "", "\0", "\ud800")), []),
    (InstanceFilter(elements=at()), []),
    (InstanceFilter(ids=frozenset(map(an_id, (7, 5, 2, 99)))), [2, 5]),
    (InstanceFilter(ids=frozenset(map(an_id, (5, 2))), elements=at("pay")), [5]),
    (InstanceFilter(ids=frozenset(map(an_id, (5, 4))), statuses=frozenset({Status.PENDING})), [5]),
    (InstanceFilter(ids=frozenset()), []),
]
"""Filters, and the numbers of the instances that they let through."""


@pytest.mark.parametrize(("which", "numbers"), FILTERED)
async def test_a_list_has_only_instances_that_match_its_filter(
    store: Store, which: InstanceFilter, numbers: list[int]
) -> None:
    held = [
        an_instance(1),
        an_instance(2, version=2),
        an_instance(3, status=Status.RUNNING),
        an_instance(4, version=2, status=Status.COMPLETED),
        an_instance(5, version=2, position=at("approve", "pay")),
        an_instance(6, version=2, status=Status.CANCELLED, position=at("pay")),
    ]
    await a_process(store, INVOICES, holding=instances([7, 8], process=INVOICES))
    await a_process(store, holding=held)
    for size in (1, 2, 6):
        shown = await instances_of(store, ORDERS, which, first=size)
        assert shown == [instance for instance in held if instance.id in map(an_id, numbers)]


async def test_a_filter_has_a_limited_number_of_values() -> None:
    too_many = "to have at most 1,000 values, but got 1,001"
    with pytest.raises(InvalidInput, match=f"ids {too_many}"):
        InstanceFilter(ids=frozenset(map(an_id, range(1_001))))
    with pytest.raises(InvalidInput, match=f"elements {too_many}"):
        InstanceFilter(elements=at(*map(str, range(1_001))))


async def test_instances_added_or_leaving_the_filter_between_pages_shift_nothing(store: Store) -> None:
    await a_process(store, holding=instances(range(1, 7)))
    pending = InstanceFilter(statuses=frozenset({Status.PENDING}))
    seen = (await store.instances.pages([ORDERS], pending, PageRequest(first=2)))[ORDERS]
    await report_instances(
        store, reports=[a_report(1, status=Status.RUNNING), a_report(4, status=Status.FAILED)], caller=ADMIN
    )
    await register(store, an_instance(7))
    rest = (await store.instances.pages([ORDERS], pending, PageRequest(first=9, after=seen.sort_keys[-1])))[
        ORDERS
    ]
    assert seen.items == tuple(instances([1, 2]))
    assert rest.items == tuple(instances([3, 5, 6, 7]))


async def test_a_cursor_of_the_whole_list_holds_in_a_filtered_one(store: Store) -> None:
    await a_process(store, holding=[*instances([1, 2], version=2), *instances([3, 4]), an_instance(5)])
    whole = (await store.instances.pages([ORDERS], InstanceFilter(), PageRequest(first=3)))[ORDERS]
    after = PageRequest(first=9, after=whole.sort_keys[-1])
    rest = (
        await store.instances.pages([ORDERS], InstanceFilter(versions=frozenset({VersionNumber(1)})), after)
    )[ORDERS]
    assert rest.items == tuple(instances([4, 5]))


async def test_pages_of_several_processes_are_cut_one_by_one(store: Store) -> None:
    orders, invoices = instances([1, 2, 3]), instances([4, 5], process=INVOICES)
    await a_process(store, ORDERS, holding=orders)
    await a_process(store, INVOICES, holding=invoices)
    pages = await store.instances.pages(
        [UNKNOWN_PROCESS, INVOICES, ORDERS, INVOICES], InstanceFilter(), PageRequest(first=2)
    )
    assert {key: (page.items, page.has_next) for key, page in pages.items()} == {
        ORDERS: (tuple(orders[:2]), True),
        INVOICES: (tuple(invoices), False),
        UNKNOWN_PROCESS: ((), False),
    }
    assert await store.instances.pages([], InstanceFilter(), PageRequest(first=2)) == {}


async def test_cohorts_count_all_instances_of_each_process(store: Store) -> None:
    await a_process(
        store,
        ORDERS,
        holding=[
            *instances([1, 2], position=at("b", "a")),
            an_instance(3, position=at("a", "b"), version=2),
            an_instance(4, position=at("a", "b"), status=Status.COMPLETED),
            an_instance(5, position=at("a")),
            an_instance(6, position=at()),
        ],
    )
    await a_process(store, INVOICES, holding=[an_instance(7, process=INVOICES, position=at("a"))])
    counted = await store.instances.cohorts([ORDERS, UNKNOWN_PROCESS, INVOICES])
    assert counted[UNKNOWN_PROCESS] == ()
    assert counted[INVOICES] == (CountedCohort(cohort=a_cohort(position=at("a")), count=1),)
    assert {entry.cohort: entry.count for entry in counted[ORDERS]} == {
        a_cohort(position=at("a", "b")): 2,
        a_cohort(position=at("a")): 1,
        a_cohort(position=at()): 1,
        a_cohort(status=Status.COMPLETED, position=at("a", "b")): 1,
        a_cohort(2, position=at("a", "b")): 1,
    }
    assert await store.instances.cohorts([]) == {}


async def test_cohorts_come_by_version_and_status_the_largest_first(store: Store) -> None:
    await a_process(
        store,
        holding=[
            *instances([1, 2], version=2),
            an_instance(3, status=Status.FAILED),
            an_instance(4, position=at("x")),
            *instances([5, 6], position=at("y")),
            an_instance(7, status=Status.COMPLETED),
            an_instance(8, status=Status.RUNNING),
        ],
    )
    counted = (await store.instances.cohorts([ORDERS]))[ORDERS]
    assert [entry.cohort for entry in counted] == [
        a_cohort(position=at("y")),
        a_cohort(position=at("x")),
        a_cohort(status=Status.RUNNING),
        a_cohort(status=Status.COMPLETED),
        a_cohort(status=Status.FAILED),
        a_cohort(2),
    ]
    assert [entry.count for entry in counted] == [2, 1, 1, 1, 1, 2]


async def test_a_position_is_stored_whatever_its_element_ids(store: Store) -> None:
    held = [an_instance(n, position=position) for n, position in enumerate(STRANGE_POSITIONS)]
    await a_process(store, holding=held)
    assert await instances_of(store, ORDERS) == held
    counted = (await store.instances.cohorts([ORDERS]))[ORDERS]
    assert {entry.cohort.position: entry.count for entry in counted} == dict.fromkeys(STRANGE_POSITIONS, 1)


async def test_the_same_position_in_two_processes_is_two_things(store: Store) -> None:
    await a_process(store, ORDERS, holding=[an_instance(1), an_instance(2, position=at("x"))])
    await a_process(store, INVOICES, holding=[an_instance(3, process=INVOICES)])
    await report_instances(store, reports=[a_report(1, position=at("x"))], caller=ADMIN)
    assert (await store.instances.find_many([an_id(3)]))[an_id(3)].position == at("approve")
    assert (await store.instances.find_many([an_id(1)]))[an_id(1)].position == at("x")


async def test_more_than_a_thousand_positions_come_at_once(store: Store) -> None:
    held = [an_instance(number, position=at(f"task {number}")) for number in range(1_201)]
    await a_process(store, holding=held)
    assert await instances_of(store, ORDERS) == held
    moved = [a_report(instance, position=at(f"task {n}", "and more")) for n, instance in enumerate(held)]
    await report_instances(store, reports=moved, caller=ADMIN)
    assert [instance.position for instance in await instances_of(store, ORDERS)] == [
        instance.position for instance in moved
    ]
    assert len((await store.instances.cohorts([ORDERS]))[ORDERS]) == 1_201


async def test_ten_thousand_instances_are_registered_and_reported_at_once(store: Store) -> None:
    held = [an_instance(n, version=1 + n % 2, position=at(f"task {n % 30}")) for n in range(10_000)]
    await a_process(store, holding=held)
    assert await store.instances.find_many(ids_of(held)) == {instance.id: instance for instance in held}
    ended = [a_report(instance, status=Status.COMPLETED, position=at()) for instance in held[::2]]
    await report_instances(store, reports=ended, caller=ADMIN)
    counted = (await store.instances.cohorts([ORDERS]))[ORDERS]
    assert sum(entry.count for entry in counted if entry.cohort.status is Status.COMPLETED) == 5_000
    assert sum(entry.count for entry in counted) == 10_000
    assert {entry.cohort.version for entry in counted if entry.cohort.status is Status.COMPLETED} == {1}


async def test_transactions_about_the_same_instance_take_turns(store: Store) -> None:
    await a_process(store, holding=[an_instance(0, position=at("0"))])

    async def count_up() -> None:
        async with store.transaction() as transaction:
            await transaction.instances.lock([an_id(0)])
            [seen] = await instances_of(store, ORDERS)
            (level,) = seen.position
            await transaction.instances.report(ORDERS, [a_report(0, position=at(str(int(level) + 1)))])

    await gather(*(count_up() for _ in range(20)))
    assert (await instances_of(store, ORDERS)) == [an_instance(0, position=at("20"))]
