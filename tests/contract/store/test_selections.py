"""Runs the contract of selections on each of our stores, and once more where few rows are read at a time."""

import pytest

from uplift.domain import Selection, all_active, by_ids
from uplift.domain.ports import Store
from uplift.testing.builders import an_id
from uplift.testing.store import selections
from uplift.testing.store.selections import *

SMALL_REACHES = pytest.mark.parametrize("span", [1, 2])


@SMALL_REACHES
@pytest.mark.parametrize("selection", [all_active(), by_ids(map(an_id, reversed(range(30))))], ids=str)
@pytest.mark.parametrize("first", [1, 2, 3, 7, 8])
async def test_a_cohort_is_paged_whole_however_few_rows_are_read_at_first(
    store: Store, selection: Selection, first: int, span: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uplift.storage.statements.instances.selections.FIRST_SPAN", span)
    await selections.test_a_cohort_is_paged_in_the_order_of_registration(store, selection, first)


@SMALL_REACHES
async def test_several_cohorts_are_paged_whole_however_few_rows_are_read_at_first(
    store: Store, span: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uplift.storage.statements.instances.selections.FIRST_SPAN", span)
    await selections.test_several_cohorts_are_paged_one_by_one(store)
