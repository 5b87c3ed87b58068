"""The contract of the outcomes of upgrades: each list has the right ones, in the order of the selection."""

from dataclasses import replace

import pytest

from uplift.domain import (
    Cohort,
    Decision,
    Outcome,
    OutcomeKind,
    ReasonCode,
    SkipReason,
    Status,
    Upgrade,
    VersionNumber,
    all_active,
    by_ids,
)
from uplift.domain.compatibility import Code, Finding
from uplift.domain.model.decision import INSTANCE_NOT_FOUND
from uplift.domain.model.paging import PageRequest
from uplift.domain.ports import OutcomeFilter, Store
from uplift.testing.builders import (
    a_cohort,
    a_process,
    an_id,
    an_instance,
    an_upgrade,
    an_upgrade_id,
    at,
    instances,
)
from uplift.testing.chunk_work import (
    ALREADY_LATEST,
    NOT_PENDING,
    plain_rules,
    process_chunk,
    run_chunk,
)
from uplift.testing.store.upgrades import add, carry_out
from uplift.testing.stores import outcomes_of, upgrades_of

pytestmark = pytest.mark.anyio

ONE, TWO = VersionNumber(1), VersionNumber(2)


async def mixed_outcomes(store: Store) -> Upgrade:
    """An upgrade of eight ids, two of each outcome, in turn."""
    await a_process(
        store,
        holding=[
            *instances([1, 2], position=at("a")),
            *instances([3, 4], version=2),
            *instances([5, 6], version=2, status=Status.RUNNING),
        ],
    )
    return await carry_out(store, 1, by_ids(map(an_id, [1, 3, 5, 7, 2, 4, 6, 8])), size=3)


async def test_each_outcome_has_its_versions_positions_and_reasons(store: Store) -> None:
    upgrade = await mixed_outcomes(store)

    def stayed(number: int, *reasons: SkipReason) -> Outcome:
        return Outcome(
            instance=an_id(number),
            reasons=reasons,
            from_version=TWO,
            to_version=TWO,
            from_position=at("approve"),
            to_position=at("approve"),
        )

    assert (await outcomes_of(store, upgrade.id))[:4] == [
        Outcome(
            instance=an_id(1),
            from_version=ONE,
            to_version=TWO,
            from_position=at("a"),
            to_position=at("a"),
        ),
        stayed(3, ALREADY_LATEST),
        stayed(5, NOT_PENDING, ALREADY_LATEST),
        Outcome(instance=an_id(7), reasons=(INSTANCE_NOT_FOUND,)),
    ]


UPGRADED, SKIPPED = OutcomeKind.UPGRADED, OutcomeKind.SKIPPED


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        (OutcomeFilter(), [1, 3, 5, 7, 2, 4, 6, 8]),
        (OutcomeFilter(kinds=frozenset({UPGRADED})), [1, 2]),
        (OutcomeFilter(kinds=frozenset({SKIPPED})), [3, 5, 7, 4, 6, 8]),
        (OutcomeFilter(reasons=frozenset({ReasonCode.ALREADY_LATEST})), [3, 5, 4, 6]),
        (OutcomeFilter(reasons=frozenset({ReasonCode.NOT_PENDING})), [5, 6]),
        (OutcomeFilter(reasons=frozenset({ReasonCode.INSTANCE_NOT_FOUND})), [7, 8]),
        (OutcomeFilter(kinds=frozenset({SKIPPED}), reasons=frozenset({ReasonCode.NOT_PENDING})), [5, 6]),
        (
            OutcomeFilter(kinds=frozenset({SKIPPED}), reasons=frozenset({ReasonCode.INSTANCE_NOT_FOUND})),
            [7, 8],
        ),
        (OutcomeFilter(kinds=frozenset({UPGRADED}), reasons=frozenset({ReasonCode.NOT_PENDING})), []),
        (OutcomeFilter(kinds=frozenset({UPGRADED}), reasons=frozenset({ReasonCode.INSTANCE_NOT_FOUND})), []),
    ],
    ids=str,
)
async def test_outcomes_are_filtered_by_kind_and_reason(
    store: Store, which: OutcomeFilter, numbers: list[int]
) -> None:
    upgrade = await mixed_outcomes(store)
    for size in (1, 2, 8):
        found = await outcomes_of(store, upgrade.id, which, first=size)
        assert [outcome.instance for outcome in found] == [an_id(number) for number in numbers]


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        (OutcomeFilter(), [4, 1, 3]),
        (OutcomeFilter(kinds=frozenset({UPGRADED})), [4, 3]),
        (OutcomeFilter(kinds=frozenset({SKIPPED})), [1]),
        (OutcomeFilter(reasons=frozenset({ReasonCode.NOT_PENDING})), [1]),
        (OutcomeFilter(reasons=frozenset({ReasonCode.INSTANCE_NOT_FOUND})), []),
    ],
    ids=str,
)
async def test_outcomes_of_all_active_are_filtered_too(
    store: Store, which: OutcomeFilter, numbers: list[int]
) -> None:
    await a_process(
        store,
        holding=[
            an_instance(4),
            an_instance(1, status=Status.RUNNING),
            an_instance(2, status=Status.FAILED),
            an_instance(3),
        ],
    )
    upgrade = await carry_out(store, 1, all_active([an_id(2), an_id(8)]), size=2)
    for size in (1, 2, 5):
        found = await outcomes_of(store, upgrade.id, which, first=size)
        assert [outcome.instance for outcome in found] == [an_id(number) for number in numbers]


OUTCOME_FILTERS: list[tuple[OutcomeFilter, list[int]]] = [
    (OutcomeFilter(), [1, 2, 3, 4, 5, 6]),
    (OutcomeFilter(kinds=frozenset({UPGRADED})), [1, 2]),
    (OutcomeFilter(kinds=frozenset({SKIPPED})), [3, 4, 5, 6]),
    (OutcomeFilter(kinds=frozenset({UPGRADED, SKIPPED})), [1, 2, 3, 4, 5, 6]),
    (OutcomeFilter(kinds=frozenset()), []),
    (OutcomeFilter(reasons=frozenset()), []),
    (OutcomeFilter(reasons=frozenset({ReasonCode.INCOMPATIBLE})), [3, 4]),
    (OutcomeFilter(reasons=frozenset({ReasonCode.INCOMPATIBLE, ReasonCode.NOT_PENDING})), [3, 4, 5]),
    (OutcomeFilter(reasons=frozenset({ReasonCode.MOVED_ON})), []),
    (OutcomeFilter(elements=at("b")), [2, 4, 6]),
    (OutcomeFilter(elements=at("b", "nowhere")), [2, 4, 6]),
    (OutcomeFilter(elements=at("a"), kinds=frozenset({SKIPPED})), [3, 5]),
    (OutcomeFilter(elements=frozenset()), []),
    (OutcomeFilter(findings=frozenset({Code.NAME_CHANGED})), [2, 4]),
    (OutcomeFilter(findings=frozenset({Code.NAME_CHANGED}), kinds=frozenset({SKIPPED})), [4]),
    (OutcomeFilter(findings=frozenset({Code.TYPE_CHANGED, Code.ELEMENT_MISSING})), [3, 4]),
    (OutcomeFilter(findings=frozenset({Code.ELEMENT_MISSING}), elements=at("a")), []),
    (OutcomeFilter(findings=frozenset()), []),
]
"""Filters, and the numbers of the instances that each lets through in the test below."""


def rules_with_findings(cohort: Cohort, target: VersionNumber) -> Decision:
    """The plain rules, but `c` has changed its type, `d` is gone, and `b` has another name."""
    plain = plain_rules(cohort, target)
    renamed = Finding(code=Code.NAME_CHANGED, source="b", message="It has another name.")
    changed = Finding(code=Code.TYPE_CHANGED, source="c", message="It has another type.")
    gone = Finding(code=Code.ELEMENT_MISSING, source="d", message="It is gone.")
    errors = tuple(
        error for error in (changed, gone) if error.source in cohort.position and not plain.reasons
    )
    incompatible = SkipReason(code=ReasonCode.INCOMPATIBLE, message="It cannot go on.", findings=errors)
    return replace(
        plain,
        to_version=None if errors else plain.to_version,
        to_position=None if errors else plain.to_position,
        reasons=(incompatible,) if errors else plain.reasons,
        warnings=(renamed,) if "b" in cohort.position and cohort.version < target else (),
    )


@pytest.mark.parametrize("is_by_ids", [True, False])
async def test_a_list_has_only_outcomes_that_match_its_filter(store: Store, is_by_ids: bool) -> None:
    await a_process(
        store,
        holding=[
            an_instance(1, position=at("a")),
            an_instance(2, position=at("b", "e")),
            an_instance(3, position=at("a", "c")),
            an_instance(4, position=at("b", "c", "d")),
            an_instance(5, position=at("a"), status=Status.RUNNING),
            an_instance(6, position=at("b"), version=2),
        ],
    )
    selection = by_ids(map(an_id, range(1, 7))) if is_by_ids else all_active()
    upgrade = await carry_out(store, 1, selection, size=4, by=rules_with_findings)
    skips = (await store.upgrades.skip_decisions([upgrade.id]))[upgrade.id]
    for which, numbers in OUTCOME_FILTERS:
        expected = [an_id(number) for number in numbers]
        for size in (1, 2, 6):
            found = await outcomes_of(store, upgrade.id, which, first=size)
            assert [outcome.instance for outcome in found] == expected, which
        counts_upgraded = which.elements is not None or which.findings is not None
        if which.kinds == frozenset({SKIPPED}) or not counts_upgraded:
            assert which.count(upgrade, skips) == len(numbers), which


async def test_ids_that_were_not_found_have_a_reason_but_no_element_and_no_finding(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    upgrade = await carry_out(store, 1, by_ids(map(an_id, [8, 1, 9])))
    for which, numbers in [
        (OutcomeFilter(reasons=frozenset({ReasonCode.INSTANCE_NOT_FOUND})), [8, 9]),
        (OutcomeFilter(kinds=frozenset({SKIPPED})), [8, 9]),
        (OutcomeFilter(kinds=frozenset({SKIPPED}), elements=at("approve")), []),
        (OutcomeFilter(kinds=frozenset({SKIPPED}), findings=frozenset(Code)), []),
    ]:
        found = await outcomes_of(store, upgrade.id, which, first=1)
        assert [outcome.instance for outcome in found] == [an_id(number) for number in numbers]
        assert which.count(upgrade, ()) == len(numbers)


async def test_outcomes_of_several_upgrades_are_read_at_once(store: Store) -> None:
    await a_process(store, holding=instances([1, 2, 3]))
    named = await carry_out(store, 1, by_ids(map(an_id, [2, 9])))
    every = await carry_out(store, 2, all_active())
    again = await carry_out(store, 3, by_ids([an_id(1)]))
    unknown = an_upgrade_id(404)
    ids = [every.id, unknown, again.id, named.id, every.id]
    pages = await store.upgrades.outcome_pages(ids, OutcomeFilter(), PageRequest(first=2))
    shown = {
        upgrade_id: ([(outcome.instance, outcome.kind) for outcome in page.items], page.has_next)
        for upgrade_id, page in pages.items()
    }
    assert shown == {
        named.id: ([(an_id(2), UPGRADED), (an_id(9), SKIPPED)], False),
        every.id: ([(an_id(1), UPGRADED), (an_id(2), SKIPPED)], True),
        again.id: ([(an_id(1), SKIPPED)], False),
        unknown: ([], False),
    }
    decisions = await store.upgrades.skip_decisions(ids)
    assert {
        key: [(entry.decision.cohort, entry.count) for entry in several] for key, several in decisions.items()
    } == {
        named.id: [],
        every.id: [(a_cohort(2), 1)],
        again.id: [(a_cohort(2), 1)],
        unknown: [],
    }


async def test_a_page_of_outcomes_goes_on_while_the_upgrade_does(store: Store) -> None:
    await a_process(store, holding=instances(range(5)))
    upgrade = await add(store, 1, all_active())
    async with store.transaction() as transaction:
        upgrade = (await run_chunk(transaction, upgrade.id, 2)).upgrade
    first = (await store.upgrades.outcome_pages([upgrade.id], OutcomeFilter(), PageRequest(first=9)))[
        upgrade.id
    ]
    async with store.transaction() as transaction:
        await run_chunk(transaction, upgrade.id, 9)
    after = PageRequest(first=9, after=first.sort_keys[-1])
    rest = (await store.upgrades.outcome_pages([upgrade.id], OutcomeFilter(), after))[upgrade.id]
    assert [outcome.instance for outcome in (*first.items, *rest.items)] == [an_id(n) for n in range(5)]


async def test_outcomes_of_more_than_500_upgrades_are_read_at_once(store: Store) -> None:
    await a_process(store, holding=instances([1]))
    numbers = range(510)
    async with store.transaction() as transaction:
        for number in numbers:
            selection = by_ids([an_id(1)]) if number % 2 else all_active()
            new = an_upgrade(number, selection=selection.kind)
            locked, (partition,) = await transaction.upgrades.add(new, selection)
            await partition.add(partition.partition)
            await process_chunk(locked, partition, 10)
    ids = [an_upgrade_id(number) for number in numbers]
    pages = await store.upgrades.outcome_pages(ids, OutcomeFilter(), PageRequest(first=10))
    assert [len(pages[upgrade_id].items) for upgrade_id in ids] == [1] * 510
    skips = await store.upgrades.skip_decisions(ids)
    assert [len(skips[upgrade_id]) for upgrade_id in ids] == [0] + [1] * 509
    assert len(await upgrades_of(store)) == 510
