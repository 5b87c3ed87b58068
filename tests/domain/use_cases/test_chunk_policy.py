"""The size of the next chunk, and the rate and remaining time of an upgrade."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from uplift.domain import UpgradeState
from uplift.domain.model.chunk import INLINE_LIMIT, ChunkPolicy
from uplift.domain.model.upgrade import Upgrade
from uplift.testing.builders import EVENING, an_upgrade

MS = timedelta(milliseconds=1)
CHUNK_POLICY = ChunkPolicy(initial_size=1_000, min_size=100, max_size=10_000, target_duration=50 * MS)

SIZES = st.integers(100, 10_000)
TIMES = st.timedeltas(timedelta(), timedelta(hours=1))


def test_a_chunk_takes_fifty_milliseconds_unless_it_is_set() -> None:
    assert ChunkPolicy().target_duration == 50 * MS
    assert ChunkPolicy().inline_limit == INLINE_LIMIT == 10_000
    assert ChunkPolicy().partition_size is None


@pytest.mark.parametrize(
    ("took", "size"),
    [
        (timedelta(), 1_414),
        (17 * MS, 1_414),
        (28 * MS, 1_118),
        (35 * MS, 1_000),
        (50 * MS, 700),
        (70 * MS, 500),
        (800 * MS, 500),
        (timedelta(hours=1), 500),
    ],
    ids=str,
)
def test_the_next_chunk_aims_at_seven_tenths_of_the_target(took: timedelta, size: int) -> None:
    assert CHUNK_POLICY.size_after(1_000, took) == size


@given(size=SIZES, took=TIMES)
def test_a_chunk_is_never_smaller_or_larger_than_allowed(size: int, took: timedelta) -> None:
    assert 100 <= CHUNK_POLICY.size_after(size, took) <= 10_000


@given(size=SIZES, took=TIMES)
def test_a_step_is_at_most_twofold_down_and_the_square_root_of_it_up(size: int, took: timedelta) -> None:
    assert size / 2 - 1 <= CHUNK_POLICY.size_after(size, took) <= size * 2**0.5 + 1


@given(size=st.integers(1_000, 5_000), took=st.timedeltas(20 * MS, 70 * MS))
def test_a_chunk_that_is_short_by_chance_changes_the_size_no_more_than_a_long_one(
    size: int, took: timedelta
) -> None:
    short, long = sorted((took, 35 * MS * (35 * MS / took)))
    grown = CHUNK_POLICY.size_after(size, short)
    assert CHUNK_POLICY.size_after(grown, long) <= size + 1


@given(size=SIZES, took=TIMES, longer=TIMES)
def test_the_longer_a_chunk_took_the_smaller_the_next(size: int, took: timedelta, longer: timedelta) -> None:
    assert CHUNK_POLICY.size_after(size, took + longer) <= CHUNK_POLICY.size_after(size, took)


@given(size=SIZES, a_thousand_take=st.timedeltas(5 * MS, 300 * MS))
def test_sizes_settle_where_a_chunk_takes_less_than_the_target(size: int, a_thousand_take: timedelta) -> None:
    for _ in range(12):
        size = CHUNK_POLICY.size_after(size, a_thousand_take * size / 1_000)
    assert a_thousand_take * size / 1_000 <= 50 * MS


def running(**facts: Any) -> Upgrade:
    return replace(an_upgrade(expected=1_000), **facts)


def test_an_upgrade_has_no_rate_before_its_first_chunk() -> None:
    assert (running().rate, running().remaining) == (None, None)


def test_the_rate_counts_outcomes_a_second_of_work() -> None:
    upgrade = running(upgraded=150, skipped=50, worked=timedelta(milliseconds=500))
    assert (upgrade.total, upgrade.rate, upgrade.remaining) == (200, 400.0, timedelta(seconds=2))


def test_more_outcomes_than_expected_leave_no_remaining_time() -> None:
    upgrade = running(upgraded=1_200, worked=timedelta(seconds=1))
    assert upgrade.remaining == timedelta()


@pytest.mark.parametrize("state", [UpgradeState.COMPLETED, UpgradeState.CANCELLED, UpgradeState.FAILED])
def test_a_finished_upgrade_takes_no_longer(state: UpgradeState) -> None:
    upgrade = running(upgraded=500, worked=timedelta(seconds=1)).finished(state, EVENING)
    assert upgrade.is_finished
    assert (upgrade.rate, upgrade.remaining, upgrade.finished_at) == (500.0, None, EVENING)


@pytest.mark.parametrize("state", [UpgradeState.QUEUED, UpgradeState.RUNNING, UpgradeState.PAUSED])
def test_an_upgrade_that_waits_or_runs_is_not_finished(state: UpgradeState) -> None:
    assert not running(state=state).is_finished


def test_an_upgrade_without_outcomes_has_no_estimated_remaining_time() -> None:
    upgrade = running(worked=timedelta(seconds=1))
    assert (upgrade.rate, upgrade.remaining) == (0.0, None)
