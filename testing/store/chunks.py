"""Chunks are recorded, and the decisions of the worker are carried out exactly."""

from collections import Counter

import pytest

from uplift.domain import (
    AllActive,
    ByIds,
    Cohort,
    CountedDecision,
    Decision,
    Outcome,
    OutcomeKind,
    ReasonCode,
    Selection,
    SkipReason,
    Status,
    Upgrade,
    UpgradeState,
    VersionNumber,
    all_active,
    by_ids,
)
from uplift.domain.model.selection import SelectionKind
from uplift.domain.ports import OutcomeFilter, RecordedChunk, Store
from uplift.testing.builders import (
    EVENING,
    INVOICES,
    ORDERS,
    a_cohort,
    a_process,
    a_report,
    an_id,
    an_instance,
    an_upgrade,
    at,
    ids_of,
    instances,
)
from uplift.testing.chunk_work import WorkedChunk, add_upgrade, lock, moving, plain_rules, run_chunk
from uplift.testing.stores import a_transaction_that_fails, everything_in, instances_of, outcomes_of

pytestmark = pytest.mark.anyio

BOTH_WAYS = pytest.mark.parametrize("kind", [SelectionKind.BY_IDS, SelectionKind.ALL_ACTIVE])


def selecting(kind: SelectionKind, numbers: range) -> Selection:
    """All instances with these numbers, in either way."""
    return all_active() if kind is SelectionKind.ALL_ACTIVE else by_ids(map(an_id, numbers))


async def add(store: Store, selection: Selection, target: int = 2) -> Upgrade:
    async with store.transaction() as transaction:
        return await add_upgrade(transaction, an_upgrade(selection=selection.kind, target=target), selection)


async def next_chunk(store: Store, upgrade: Upgrade, size: int) -> WorkedChunk:
    async with store.transaction() as transaction:
        return await run_chunk(transaction, upgrade.id, size)


async def chunks_of(store: Store, upgrade: Upgrade, size: int) -> list[WorkedChunk]:
    worked: list[WorkedChunk] = []
    while not worked or not worked[-1].recorded.is_last:
        worked.append(await next_chunk(store, upgrade, size))
    return worked


@pytest.mark.parametrize(
    ("size", "covered"), [(1, [1, 1, 1, 1, 1]), (2, [2, 2, 1]), (4, [4, 1]), (5, [5]), (6, [5])]
)
async def test_a_selection_by_ids_is_cut_along_the_ids_in_an_order_of_the_store(
    store: Store, size: int, covered: list[int]
) -> None:
    await a_process(store, INVOICES, holding=[an_instance(9, process=INVOICES)])
    await a_process(store, holding=instances([1, 2, 3]))
    upgrade = await add(store, by_ids(map(an_id, [3, 8, 1, 2, 9])))
    worked = await chunks_of(store, upgrade, size)
    assert [chunk.recorded.recorded + chunk.recorded.not_found for chunk in worked] == covered
    assert sum(chunk.recorded.recorded for chunk in worked) == 3
    assert [chunk.recorded.is_last for chunk in worked] == [False] * (len(worked) - 1) + [True]
    assert [outcome.instance for outcome in await outcomes_of(store, upgrade.id)] == [
        an_id(number) for number in (3, 8, 1, 2, 9)
    ]


@pytest.mark.parametrize(
    ("size", "recorded"),
    [(1, [1, 1, 1, 1]), (2, [2, 2]), (3, [3, 1]), (4, [4]), (5, [4])],
)
async def test_all_active_instances_are_cut_along_their_registration(
    store: Store, size: int, recorded: list[int]
) -> None:
    await a_process(
        store,
        holding=[
            an_instance(5, status=Status.FAILED),
            *instances([4, 1, 3, 2]),
        ],
    )
    upgrade = await add(store, all_active())
    worked = await chunks_of(store, upgrade, size)
    assert [chunk.recorded.recorded for chunk in worked] == recorded
    assert [chunk.recorded.not_found for chunk in worked] == [0] * len(worked)
    assert [outcome.instance for outcome in await outcomes_of(store, upgrade.id)] == [
        an_id(number) for number in (4, 1, 3, 2)
    ]


@pytest.mark.parametrize("size", [1, 3, 5, 6])
@BOTH_WAYS
async def test_a_chunk_ends_where_its_end_was_found_before(
    store: Store, kind: SelectionKind, size: int
) -> None:
    await a_process(store, holding=instances(range(5)))
    upgrade = await add(store, selecting(kind, range(5)))
    [partition] = (await store.partitions.remaining([upgrade.id]))[upgrade.id]
    found = await store.partitions.end_of_chunk(upgrade, partition, size)
    async with store.transaction() as transaction:
        _, locked = await lock(transaction, upgrade.id)
        end = await locked.chunks.end_of(size)
        assert found in (None, end)
        chunk = await locked.chunks.record_and_move(5, [], end if found is None else found)
        assert (chunk.recorded, chunk.cursor, chunk.is_last) == (min(5, size), end, size >= 5)


@BOTH_WAYS
async def test_a_recorded_chunk_counts_each_cohort_once(store: Store, kind: SelectionKind) -> None:
    await a_process(
        store,
        holding=[
            *instances([0, 1, 2]),
            *instances([3, 4], position=at("a", "b")),
            an_instance(5, version=2),
            an_instance(6, status=Status.RUNNING),
        ],
    )
    upgrade = await add(store, selecting(kind, range(7)))
    async with store.transaction() as transaction:
        locked, partition = await lock(transaction, upgrade.id)
        assert locked.upgrade == upgrade
        chunk = await partition.chunks.record_and_move(10, [])
        assert (chunk.recorded, chunk.moved) == (7, 0)
        assert chunk.is_last
        assert len(chunk.unmoved) == 4
        assert {counted.cohort: counted.count for counted in chunk.unmoved} == {
            a_cohort(): 3,
            a_cohort(position=at("a", "b")): 2,
            a_cohort(2): 1,
            a_cohort(status=Status.RUNNING): 1,
        }


@BOTH_WAYS
async def test_decisions_move_instances_in_place_and_elsewhere_at_once(
    store: Store, kind: SelectionKind
) -> None:
    await a_process(
        store,
        published=3,
        holding=[
            *instances([0, 1], position=at("stay")),
            *instances([2, 3], position=at("go", "there")),
            *instances([4], position=at("go", "there"), version=2),
            *instances([5], position=at("go", "there"), status=Status.RUNNING),
            *instances([6], position=at("vanish")),
            *instances([7], position=at("stay"), version=2),
        ],
    )
    upgrade = await add(store, selecting(kind, range(8)), target=3)
    rules = moving({at("go", "there"): at("new 'place'"), at("vanish"): at(), at("stay"): at("stay")})
    async with store.transaction() as transaction:
        worked = await run_chunk(transaction, upgrade.id, 100, rules)
    running = a_cohort(status=Status.RUNNING, position=at("go", "there"))
    skip = CountedDecision(decision=plain_rules(running, VersionNumber(3)), count=1)
    assert (worked.moved, worked.skipped) == (7, (skip,))
    assert await instances_of(store, ORDERS) == [
        *instances([0, 1], version=3, position=at("stay")),
        *instances([2, 3, 4], version=3, position=at("new 'place'")),
        an_instance(5, status=Status.RUNNING, position=at("go", "there")),
        an_instance(6, version=3, position=at()),
        an_instance(7, version=3, position=at("stay")),
    ]
    outcomes = await outcomes_of(store, upgrade.id)
    assert outcomes[2] == Outcome(
        instance=an_id(2),
        from_version=VersionNumber(1),
        to_version=VersionNumber(3),
        from_position=at("go", "there"),
        to_position=at("new 'place'"),
    )
    assert outcomes[5] == Outcome(
        instance=an_id(5),
        reasons=skip.decision.reasons,
        from_version=VersionNumber(1),
        to_version=VersionNumber(1),
        from_position=at("go", "there"),
        to_position=at("go", "there"),
    )
    assert (await store.upgrades.skip_decisions([upgrade.id]))[upgrade.id] == (skip,)


@BOTH_WAYS
async def test_positions_may_change_places(store: Store, kind: SelectionKind) -> None:
    """One cohort moves to the position of another, and each instance still moves only once."""
    await a_process(
        store,
        holding=[
            *instances([0], position=at("a")),
            *instances([1], position=at("b")),
            *instances([2], position=at("c")),
            *instances([3], position=at("d")),
        ],
    )
    upgrade = await add(store, selecting(kind, range(4)))
    rules = moving({at("a"): at("b"), at("b"): at("a"), at("c"): at("d")})
    async with store.transaction() as transaction:
        worked = await run_chunk(transaction, upgrade.id, 100, rules)
    assert (worked.moved, worked.skipped) == (4, ())
    assert [instance.position for instance in await instances_of(store, ORDERS)] == [
        at("b"),
        at("a"),
        at("d"),
        at("d"),
    ]


@BOTH_WAYS
async def test_positions_may_change_in_small_chunks(store: Store, kind: SelectionKind) -> None:
    held = [an_instance(n, position=at("abcd"[n % 4])) for n in range(10)]
    await a_process(store, holding=held)
    upgrade = await add(store, selecting(kind, range(10)))
    rules = moving({at("a"): at("b"), at("b"): at("c"), at("d"): at("a")})
    while upgrade.state is UpgradeState.RUNNING:
        async with store.transaction() as transaction:
            upgrade = (await run_chunk(transaction, upgrade.id, 3, rules)).upgrade
    assert (upgrade.upgraded, upgrade.skipped) == (10, 0)
    assert [instance.position for instance in await instances_of(store, ORDERS)] == [
        at("bcca"[n % 4]) for n in range(10)
    ]
    assert {instance.version for instance in await instances_of(store, ORDERS)} == {2}


@BOTH_WAYS
async def test_every_reason_of_a_decision_is_stored_unchanged(store: Store, kind: SelectionKind) -> None:
    await a_process(store, holding=instances(range(3)))
    upgrade = await add(store, selecting(kind, range(3)))
    reasons = (
        SkipReason(code=ReasonCode.ALREADY_LATEST, message="„Grund“ 'one' \"two\" 订单\n\\"),
        SkipReason(code=ReasonCode.NOT_PENDING, message=""),
    )

    def refuse(cohort: Cohort, _: VersionNumber) -> Decision:
        return Decision(cohort=cohort, to_version=None, to_position=None, reasons=reasons)

    async with store.transaction() as transaction:
        worked = await run_chunk(transaction, upgrade.id, 100, refuse)
    skip = CountedDecision(decision=refuse(a_cohort(), VersionNumber(2)), count=3)
    assert (worked.moved, worked.skipped) == (0, (skip,))
    assert await instances_of(store, ORDERS) == instances(range(3))
    assert {outcome.reasons for outcome in await outcomes_of(store, upgrade.id)} == {reasons}
    assert await store.upgrades.skip_decisions([upgrade.id]) == {upgrade.id: (skip,)}


@BOTH_WAYS
async def test_skips_of_a_cohort_are_counted_over_all_chunks(store: Store, kind: SelectionKind) -> None:
    held = [
        an_instance(n, version=1 + n % 2, status=Status.RUNNING if n % 3 else Status.PENDING)
        for n in range(12)
    ]
    await a_process(store, holding=held)
    upgrade = await add(store, selecting(kind, range(12)))
    await chunks_of(store, upgrade, 5)
    skipped = (await store.upgrades.skip_decisions([upgrade.id]))[upgrade.id]
    assert {entry.decision.cohort: entry.count for entry in skipped} == {
        a_cohort(1, Status.RUNNING): 4,
        a_cohort(2, Status.PENDING): 2,
        a_cohort(2, Status.RUNNING): 4,
    }


@BOTH_WAYS
async def test_an_instance_that_left_its_cohort_is_not_moved(store: Store, kind: SelectionKind) -> None:
    await a_process(store, holding=instances(range(4)))
    upgrade = await add(store, selecting(kind, range(4)))
    reports = [a_report(1, status=Status.RUNNING), a_report(3, position=at("elsewhere"))]
    async with store.transaction() as transaction:
        _, partition = await lock(transaction, upgrade.id)
        chunk = await partition.chunks.record_and_move(100, [])
        await transaction.instances.report(ORDERS, reports)
        decision = plain_rules(a_cohort(), VersionNumber(2))
        await partition.chunks.keep_decisions([decision])
        assert await partition.chunks.move_rest(chunk, [decision]) == 2
    assert await instances_of(store, ORDERS) == [
        an_instance(0, version=2),
        an_instance(1, status=Status.RUNNING),
        an_instance(2, version=2),
        an_instance(3, position=at("elsewhere")),
    ]


async def test_an_upgrade_moves_nothing_of_another_process(store: Store) -> None:
    others = [*instances([1, 2], process=INVOICES), an_instance(3, process=INVOICES, position=at())]
    await a_process(store, INVOICES, holding=others)
    await a_process(store, holding=instances([4]))
    upgrade = await add(store, all_active())
    await chunks_of(store, upgrade, 1)
    assert await instances_of(store, INVOICES) == others
    assert await instances_of(store, ORDERS) == instances([4], version=2)


@BOTH_WAYS
async def test_a_chunk_that_is_rolled_back_leaves_nothing(store: Store, kind: SelectionKind) -> None:
    await a_process(store, holding=[*instances([0, 1]), *instances(range(2, 6), position=at("ship"))])
    upgrade = await add(store, selecting(kind, range(6)))
    await next_chunk(store, upgrade, 2)
    before = await everything_in(store)
    async with a_transaction_that_fails(store) as transaction:
        await run_chunk(transaction, upgrade.id, 2, moving({at("ship"): at("nowhere yet")}))
    assert await everything_in(store) == before
    rest = await chunks_of(store, upgrade, 3)
    assert [chunk.recorded.recorded for chunk in rest] == [3, 1]
    assert await instances_of(store, ORDERS) == [
        *instances([0, 1], version=2),
        *instances(range(2, 6), version=2, position=at("ship")),
    ]


async def test_an_instance_registered_between_chunks_is_not_part_of_all_active(store: Store) -> None:
    await a_process(store, holding=instances([1, 2, 3]))
    upgrade = await add(store, all_active())
    await next_chunk(store, upgrade, 2)
    async with store.transaction() as transaction:
        await transaction.instances.register(ORDERS, instances([4, 5]))
    [last] = await chunks_of(store, upgrade, 2)
    assert last.upgrade.upgraded == 3
    assert await instances_of(store, ORDERS) == [*instances([1, 2, 3], version=2), *instances([4, 5])]


async def test_an_id_registered_after_the_upgrade_began_is_not_found(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    upgrade = await add(store, by_ids([an_id(1), an_id(2)]))
    async with store.transaction() as transaction:
        await transaction.instances.register(ORDERS, instances([2]))
    [worked] = await chunks_of(store, upgrade, 5)
    assert (worked.recorded.recorded, worked.recorded.not_found) == (1, 1)
    assert await instances_of(store, ORDERS) == [an_instance(1, version=2), an_instance(2)]


async def test_instances_that_end_or_wake_up_between_chunks_are_taken_as_they_are_then(store: Store) -> None:
    await a_process(
        store, holding=[*instances([1, 2, 3, 4]), an_instance(5, status=Status.FAILED), an_instance(6)]
    )
    upgrade = await add(store, all_active())
    await next_chunk(store, upgrade, 2)
    async with store.transaction() as transaction:
        await transaction.instances.report(
            ORDERS,
            [
                a_report(1, status=Status.COMPLETED),
                a_report(3, status=Status.COMPLETED),
                a_report(4, status=Status.RUNNING),
                a_report(5, status=Status.PENDING),
                a_report(6, position=at("elsewhere")),
            ],
        )
    await chunks_of(store, upgrade, 2)
    assert [(outcome.instance, outcome.kind) for outcome in await outcomes_of(store, upgrade.id)] == [
        (an_id(1), OutcomeKind.UPGRADED),
        (an_id(2), OutcomeKind.UPGRADED),
        (an_id(4), OutcomeKind.SKIPPED),
        (an_id(5), OutcomeKind.UPGRADED),
        (an_id(6), OutcomeKind.UPGRADED),
    ]
    assert await instances_of(store, ORDERS) == [
        an_instance(1, version=2, status=Status.COMPLETED),
        an_instance(2, version=2),
        an_instance(3, status=Status.COMPLETED),
        an_instance(4, status=Status.RUNNING),
        an_instance(5, version=2),
        an_instance(6, version=2, position=at("elsewhere")),
    ]


async def test_named_instances_that_end_between_chunks_are_skipped(store: Store) -> None:
    await a_process(store, holding=instances([1, 2, 3]))
    upgrade = await add(store, by_ids(map(an_id, [1, 2, 3])))
    await next_chunk(store, upgrade, 1)
    async with store.transaction() as transaction:
        await transaction.instances.report(ORDERS, [a_report(3, status=Status.CANCELLED)])
    await chunks_of(store, upgrade, 1)
    assert [outcome.kind for outcome in await outcomes_of(store, upgrade.id)] == [
        "UPGRADED",
        "UPGRADED",
        "SKIPPED",
    ]
    assert await instances_of(store, ORDERS) == [
        *instances([1, 2], version=2),
        an_instance(3, status=Status.CANCELLED),
    ]


async def test_when_all_the_rest_ended_the_last_chunk_is_empty(store: Store) -> None:
    await a_process(store, holding=instances([1, 2, 3]))
    upgrade = await add(store, all_active())
    await next_chunk(store, upgrade, 1)
    async with store.transaction() as transaction:
        await transaction.instances.report(ORDERS, [a_report(n, status=Status.COMPLETED) for n in (2, 3)])
    [last] = await chunks_of(store, upgrade, 1)
    assert (last.recorded.unmoved, last.recorded.recorded) == ((), 0)
    assert (last.upgrade.state, last.upgrade.total) == (UpgradeState.COMPLETED, 1)


@BOTH_WAYS
async def test_the_outcomes_of_a_running_upgrade_are_those_of_its_chunks_so_far(
    store: Store, kind: SelectionKind
) -> None:
    await a_process(store, holding=instances(range(3)))
    upgrade = await add(store, selecting(kind, range(3)))
    assert await outcomes_of(store, upgrade.id) == []
    await next_chunk(store, upgrade, 2)
    assert [outcome.instance for outcome in await outcomes_of(store, upgrade.id)] == [an_id(0), an_id(1)]
    assert await outcomes_of(store, upgrade.id, OutcomeFilter(kinds=frozenset({OutcomeKind.SKIPPED}))) == []


async def test_excluded_active_instances_are_counted_when_the_upgrade_is_added(store: Store) -> None:
    await a_process(store, INVOICES, holding=[an_instance(9, process=INVOICES)])
    await a_process(
        store,
        holding=[
            *instances([1, 2, 3]),
            an_instance(4, status=Status.RUNNING),
            an_instance(5, status=Status.COMPLETED),
            an_instance(6, status=Status.FAILED),
        ],
    )
    upgrade = await add(store, all_active(map(an_id, [2, 4, 5, 7, 9, 2])))
    assert upgrade.excluded == 2
    assert await store.upgrades.find(upgrade.id) == upgrade
    worked = await chunks_of(store, upgrade, 1)
    assert worked[-1].upgrade.excluded == 2
    assert sum(chunk.recorded.recorded for chunk in worked) == 2
    assert await instances_of(store, ORDERS) == [
        an_instance(1, version=2),
        an_instance(2),
        an_instance(3, version=2),
        an_instance(4, status=Status.RUNNING),
        an_instance(5, status=Status.COMPLETED),
        an_instance(6, status=Status.FAILED),
    ]
    assert (await instances_of(store, INVOICES)) == [an_instance(9, process=INVOICES)]


@pytest.mark.parametrize("selection", [AllActive(), ByIds(ids=())], ids=["all active", "by ids"])
async def test_an_empty_selection_is_one_empty_chunk(store: Store, selection: Selection) -> None:
    await a_process(store)
    upgrade = await add(store, selection)
    [worked] = await chunks_of(store, upgrade, 5)
    assert worked.recorded == RecordedChunk(
        recorded=0, moved=0, unmoved=(), not_found=0, cursor=0, is_last=True
    )
    assert (worked.moved, worked.skipped) == (0, ())
    assert worked.upgrade.state is UpgradeState.COMPLETED


async def test_a_selection_of_only_unknown_ids_finds_nothing(store: Store) -> None:
    await a_process(store)
    upgrade = await add(store, by_ids(map(an_id, range(3))))
    worked = await chunks_of(store, upgrade, 2)
    assert [chunk.recorded.not_found for chunk in worked] == [2, 1]
    assert worked[-1].upgrade.skipped == 3


@BOTH_WAYS
async def test_ten_thousand_instances_at_many_positions_move_in_one_chunk(
    store: Store, kind: SelectionKind
) -> None:
    held = [an_instance(n, position=at(f"task {n % 700}"), version=1 + n % 2) for n in range(10_000)]
    await a_process(store, published=3, holding=held)
    upgrade = await add(store, selecting(kind, range(10_000)), target=3)
    rules = moving({at(f"task {n}"): at(f"task {n}", "beside") for n in range(0, 700, 2)})
    async with store.transaction() as transaction:
        worked = await run_chunk(transaction, upgrade.id, 10_000, rules)
    assert (worked.moved, worked.skipped) == (10_000, ())
    assert len(worked.recorded.unmoved) == 700
    moved = await instances_of(store, ORDERS)
    assert ids_of(moved) == ids_of(held)
    assert Counter(instance.version for instance in moved) == {3: 10_000}
    assert [instance.position for instance in moved] == [
        at(f"task {n % 700}", "beside") if n % 2 == 0 else at(f"task {n % 700}") for n in range(10_000)
    ]


async def test_an_upgrade_that_is_completed_keeps_when(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    upgrade = await add(store, all_active())
    [worked] = await chunks_of(store, upgrade, 1)
    assert worked.upgrade.finished_at == EVENING
    assert await store.upgrades.find(upgrade.id) == worked.upgrade


@BOTH_WAYS
async def test_a_cohort_with_a_stored_decision_is_not_decided_again(
    store: Store, kind: SelectionKind
) -> None:
    held = [an_instance(n, status=Status.RUNNING if n % 2 else Status.PENDING) for n in range(8)]
    await a_process(store, holding=held)
    upgrade = await add(store, selecting(kind, range(8)))
    first, second = await chunks_of(store, upgrade, 4)
    running = a_cohort(status=Status.RUNNING)
    assert {counted.cohort: counted.count for counted in first.recorded.unmoved} == {
        a_cohort(): 2,
        running: 2,
    }
    assert {counted.cohort: counted.count for counted in second.recorded.unmoved} == {running: 2}
    assert (second.moved, second.upgrade.upgraded, second.upgrade.skipped) == (2, 4, 4)


@BOTH_WAYS
async def test_all_decisions_are_kept_until_the_next_worker_asks_for_them(
    store: Store, kind: SelectionKind
) -> None:
    held = [an_instance(0), an_instance(1, position=at("go")), an_instance(2, status=Status.RUNNING)]
    await a_process(store, holding=[*held, an_instance(3)])
    upgrade = await add(store, selecting(kind, range(4)))
    rules = moving({at("go"): at("gone")})
    async with store.transaction() as transaction:
        _, partition = await lock(transaction, upgrade.id)
        assert await partition.chunks.decisions() == ()
        worked = await run_chunk(transaction, upgrade.id, 3, rules)
    async with store.transaction() as transaction:
        _, partition = await lock(transaction, upgrade.id)
        kept = await partition.chunks.decisions()
    assert {decision.cohort: decision for decision in kept} == {
        counted.cohort: rules(counted.cohort, VersionNumber(2)) for counted in worked.recorded.unmoved
    }
