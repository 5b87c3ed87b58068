"""Laws of selections by conditions, against all active instances, on every store."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stores import STORES, Stores
from uplift.domain import Cohort, InstanceId, Selection, Status, all_active, matching
from uplift.domain.ports import Store
from uplift.testing.builders import ORDERS, a_stored_process, an_id, an_instance, at

pytestmark = pytest.mark.anyio

VERSIONS = [1, 2, 3]
HELD = st.lists(
    st.tuples(
        st.sampled_from(VERSIONS),
        st.sampled_from(Status),
        st.frozensets(st.sampled_from(["check", "approve", "pay"]), max_size=2),
    ),
    max_size=12,
)
ELEMENTS = st.none() | st.lists(st.sampled_from(["check", "approve"]), min_size=1)
EXCLUDED = st.lists(st.integers(0, 13).map(an_id), max_size=6)


async def counts(store: Store, selection: Selection) -> tuple[Counter[Cohort], int]:
    """The instances in each cohort, and how many the selection leaves out."""
    selected = await store.instances.selected_cohorts(ORDERS, selection)
    counted = Counter({counted.cohort: counted.count for counted in selected.cohorts})
    assert all(counted.values())
    return counted, selected.excluded


@pytest.mark.parametrize("kind", STORES)
@settings(max_examples=15)
@given(held=HELD, elements=ELEMENTS, limit=st.integers(1, 12), excluded=EXCLUDED)
async def test_conditions_choose_among_all_active_instances(
    stores: Stores,
    kind: str,
    held: list[tuple[int, Status, frozenset[str]]],
    elements: list[str] | None,
    limit: int,
    excluded: list[InstanceId],
) -> None:
    registered = [
        an_instance(number, version=version, status=status, position=at(*position))
        for number, (version, status, position) in enumerate(held)
    ]
    async with stores.empty(kind) as store:
        async with store.transaction() as transaction:
            await transaction.processes.add(a_stored_process())
            await transaction.instances.register(ORDERS, registered)
        active, active_excluded = await counts(store, all_active(excluded))
        assert await counts(store, matching(excluded=excluded)) == (active, active_excluded)

        several = [await counts(store, matching(versions=[v], excluded=excluded)) for v in VERSIONS]
        together = Counter[Cohort]()
        for counted, _ in several:
            together += counted
        assert (together, sum(left_out for _, left_out in several)) == (active, active_excluded)

        whole, left_out = await counts(store, matching(elements=elements, excluded=excluded))
        assert whole <= active
        everyone, _ = await counts(store, matching(elements=elements))
        assert everyone.total() == whole.total() + left_out

        first, same = await counts(store, matching(elements=elements, limit=limit, excluded=excluded))
        assert (first.total(), same) == (min(limit, whole.total()), left_out)
        more, _ = await counts(store, matching(elements=elements, limit=limit + 1, excluded=excluded))
        assert first <= more <= whole
