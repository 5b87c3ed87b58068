"""A request selects instances in exactly one way."""

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import pytest

from uplift.domain import AllActive, ByIds, Conditions, Matching, Status, all_active, by_ids, matching
from uplift.domain.errors import ErrorCode, InvalidSelection
from uplift.domain.model.conditions import MAX_CONDITIONS
from uplift.domain.model.instance import ElementId
from uplift.domain.model.process import VersionNumber
from uplift.domain.model.selection import (
    MAX_IDS,
    SelectionFields,
    SelectionKind,
    selection_from,
)
from uplift.testing.builders import a_cohort, an_id, at

A, B, C = an_id(1), an_id(2), an_id(3)
REST = SelectionFields(ids="selectedIds", all_active="updateAllActive", excluded="unselectedIds")


def numbered(count: int) -> Iterator[UUID]:
    return (UUID(int=number) for number in range(count))


def test_ids_keep_their_order_and_count_once() -> None:
    assert by_ids([B, A, B, C, A]) == ByIds(ids=(B, A, C))


def test_exclusions_count_once() -> None:
    assert all_active([B, A, B]) == AllActive(excluded=(B, A))
    assert all_active() == AllActive(excluded=())


def test_a_selection_by_ids_needs_an_id() -> None:
    with pytest.raises(InvalidSelection) as refused:
        by_ids([], fields=REST)
    assert refused.value.code is ErrorCode.INVALID_SELECTION
    assert refused.value.message == "Expected selectedIds to hold at least one id, but it is empty."
    assert refused.value.field == ("selectedIds",)


def test_as_many_ids_as_a_request_may_carry_are_accepted() -> None:
    assert len(by_ids(numbered(MAX_IDS)).ids) == 100_000
    assert len(all_active(numbered(MAX_IDS)).excluded) == 100_000


def test_a_repeated_id_counts_once_towards_the_limit() -> None:
    assert by_ids([A] * (MAX_IDS + 1)) == ByIds(ids=(A,))


def test_more_ids_than_a_request_may_carry_are_refused() -> None:
    with pytest.raises(InvalidSelection) as refused:
        by_ids(numbered(MAX_IDS + 1))
    assert refused.value.message == "Expected ids to hold at most 100,000 ids, but got 100,001."
    assert refused.value.field == ("ids",)


def test_more_exclusions_than_a_request_may_carry_are_refused() -> None:
    with pytest.raises(InvalidSelection) as refused:
        all_active(numbered(MAX_IDS + 1), fields=REST)
    assert refused.value.message == "Expected unselectedIds to hold at most 100,000 ids, but got 100,001."
    assert refused.value.field == ("unselectedIds",)


@pytest.mark.parametrize(
    ("ids", "every_active", "excluded", "selection"),
    [
        ([A], None, None, ByIds(ids=(A,))),
        ([A], False, [], ByIds(ids=(A,))),
        (None, True, None, AllActive()),
        ([], True, [], AllActive()),
        ((), True, [B, B], AllActive(excluded=(B,))),
    ],
)
def test_one_way_of_selecting_is_accepted(
    ids: Iterable[UUID] | None,
    every_active: bool | None,
    excluded: Iterable[UUID] | None,
    selection: object,
) -> None:
    assert selection_from(ids=ids, every_active=every_active, excluded=excluded) == selection


def test_ids_may_come_from_an_iterator() -> None:
    selection = selection_from(ids=iter([A, B, A]), every_active=None, excluded=iter([]))
    assert selection == ByIds(ids=(A, B))


@pytest.mark.parametrize(
    ("ids", "every_active", "excluded", "message", "field"),
    [
        (
            [A],
            True,
            None,
            "Expected either ids or all_active, but got both.",
            ("ids", "all_active"),
        ),
        (
            [A],
            True,
            [B],
            "Expected either ids or all_active, but got both.",
            ("ids", "all_active"),
        ),
        (
            [A],
            None,
            [B],
            "Expected excluded only together with all_active, but all_active is not set.",
            ("excluded",),
        ),
        (
            None,
            False,
            [B],
            "Expected excluded only together with all_active, but all_active is not set.",
            ("excluded",),
        ),
        (
            None,
            None,
            None,
            "Expected ids with at least one id, or all_active, but got neither.",
            ("ids", "all_active"),
        ),
        (
            [],
            False,
            [],
            "Expected ids with at least one id, or all_active, but got neither.",
            ("ids", "all_active"),
        ),
    ],
)
def test_any_other_combination_is_refused(
    ids: list[UUID] | None,
    every_active: bool | None,
    excluded: list[UUID] | None,
    message: str,
    field: tuple[str, ...],
) -> None:
    with pytest.raises(InvalidSelection) as refused:
        selection_from(ids=ids, every_active=every_active, excluded=excluded)
    assert (refused.value.message, refused.value.field) == (message, field)


def test_an_error_uses_the_names_of_the_caller() -> None:
    with pytest.raises(
        InvalidSelection, match="Expected either selectedIds or updateAllActive, but got both"
    ):
        selection_from(ids=[A], every_active=True, excluded=None, fields=REST)


def test_a_selection_knows_its_kind() -> None:
    assert by_ids([A]).kind is SelectionKind.BY_IDS
    assert all_active().kind is SelectionKind.ALL_ACTIVE


def test_conditions_count_once_and_in_one_order() -> None:
    pending = [Status.RUNNING, Status.PENDING, Status.RUNNING]
    assert matching(
        versions=[3, 1, 3], elements=["b", "a"], statuses=pending, limit=5, excluded=[B, A, B]
    ) == Matching(
        conditions=Conditions(
            versions=(VersionNumber(1), VersionNumber(3)),
            elements=(ElementId("a"), ElementId("b")),
            statuses=(Status.PENDING, Status.RUNNING),
            limit=5,
        ),
        excluded=(B, A),
    )
    assert matching().conditions == Conditions()


def test_a_limit_makes_a_selection_of_another_kind() -> None:
    assert matching().kind is SelectionKind.MATCHING
    assert matching(limit=1).kind is SelectionKind.FIRST_MATCHING


@pytest.mark.parametrize(
    ("conditions", "is_met"),
    [
        (Conditions(), True),
        (matching(versions=[2, 3]).conditions, True),
        (matching(versions=[1]).conditions, False),
        (matching(elements=["pay", "sign"]).conditions, True),
        (matching(elements=["sign"]).conditions, False),
        (matching(statuses=[Status.RUNNING]).conditions, False),
        (matching(versions=[3], elements=["pay"], statuses=[Status.PENDING], limit=1).conditions, True),
    ],
)
def test_a_cohort_meets_every_condition_or_none_counts(conditions: Conditions, is_met: bool) -> None:
    assert conditions.are_met_by(a_cohort(3, position=at("approve", "pay"))) is is_met
    assert not conditions.are_met_by(a_cohort(3, Status.COMPLETED, at("approve", "pay")))


@pytest.mark.parametrize(
    ("wrong", "message", "field"),
    [
        ({"versions": []}, "Expected versions to hold at least one value, but it is empty.", "versions"),
        ({"elements": []}, "Expected elements to hold at least one value, but it is empty.", "elements"),
        ({"statuses": []}, "Expected statuses to hold at least one value, but it is empty.", "statuses"),
        (
            {"statuses": [Status.PENDING, Status.FAILED]},
            "Expected statuses to be among PENDING and RUNNING, but got FAILED.",
            "statuses",
        ),
        ({"limit": 0}, "Expected limit to be between 1 and 100,000, but got 0.", "limit"),
        ({"limit": 100_001}, "Expected limit to be between 1 and 100,000, but got 100,001.", "limit"),
        (
            {"excluded": [A, B], "max_ids": 1},
            "Expected excluded to hold at most 1 ids, but got 2.",
            "excluded",
        ),
    ],
)
def test_conditions_that_select_nothing_or_too_much_are_refused(
    wrong: dict[str, Any], message: str, field: str
) -> None:
    with pytest.raises(InvalidSelection) as refused:
        matching(**wrong)
    assert (refused.value.message, refused.value.field) == (message, (field,))


def test_the_limit_on_conditions_is_on_their_sum() -> None:
    elements = [f"task {number}" for number in range(MAX_CONDITIONS - 1)]
    assert matching(versions=[1], elements=elements).conditions.elements == tuple(sorted(elements))
    with pytest.raises(InvalidSelection) as refused:
        matching(versions=[1, 2], elements=elements)
    assert refused.value.message == (
        "Expected versions and elements to hold at most 1,000 values in all, but got 1,001."
    )
