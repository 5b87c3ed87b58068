"""A further worker joins an upgrade that takes long, and stays if the upgrade becomes faster."""

from dataclasses import replace
from datetime import timedelta

import pytest

from uplift.domain.model.upgrade import Partition, Tally, Upgrade, UpgradeId
from uplift.domain.rules.joining import JoinPolicy, Trial, Trials, rate_of
from uplift.testing.builders import EVENING, NOON, an_id, an_upgrade

POLICY = JoinPolicy(
    unmeasured=2,
    worth=timedelta(seconds=2),
    settling=timedelta(milliseconds=200),
    measured=timedelta(milliseconds=300),
)
FIRST, SECOND = UpgradeId(an_id(1)), UpgradeId(an_id(2))


def an_upgrade_after(milliseconds: int, *, upgraded: int, expected: int = 10_000) -> Upgrade:
    return replace(
        an_upgrade(expected=expected), upgraded=upgraded, worked=timedelta(milliseconds=milliseconds)
    )


def a_trial(*, worker: str = "third", others: int = 2, rate: float = 1_000) -> Trial:
    return Trial(POLICY, worker=worker, others=others, rate=rate)


@pytest.mark.parametrize("others", [0, 1])
def test_two_workers_join_at_once(others: int) -> None:
    assert POLICY.allows(an_upgrade_after(0, upgraded=0), others)


@pytest.mark.parametrize(
    ("milliseconds", "upgraded", "expected", "allowed"),
    [
        (0, 0, 10_000, False),
        (299, 299, 10_000, False),
        (300, 300, 10_000, True),
        (300, 300, 2_300, True),
        (300, 300, 2_299, False),
        (300, 0, 10_000, False),
    ],
    ids=["no figures", "few figures", "measured", "two seconds remain", "less remains", "no rate"],
)
def test_a_third_worker_joins_an_upgrade_that_takes_two_more_seconds(
    milliseconds: int, upgraded: int, expected: int, allowed: bool
) -> None:
    upgrade = an_upgrade_after(milliseconds, upgraded=upgraded, expected=expected)
    assert POLICY.allows(upgrade, 2) is allowed


@pytest.mark.parametrize(
    ("others", "upgraded", "has_helped"), [(2, 374, False), (2, 375, True), (3, 349, False), (3, 350, True)]
)
def test_a_worker_has_helped_if_it_adds_half_of_what_each_of_the_others_does(
    others: int, upgraded: int, has_helped: bool
) -> None:
    trial = a_trial(others=others)
    assert trial.has_helped(an_upgrade_after(1_000, upgraded=1_000)) is None
    assert trial.has_helped(an_upgrade_after(1_199, upgraded=1_000)) is None
    assert trial.has_helped(an_upgrade_after(1_200, upgraded=1_000)) is None
    assert trial.has_helped(an_upgrade_after(1_499, upgraded=9_000)) is None
    assert trial.has_helped(an_upgrade_after(1_500, upgraded=1_000 + upgraded)) is has_helped


def test_skipped_instances_count_like_moved_ones() -> None:
    trial = a_trial()
    for milliseconds in (0, 200):
        trial.has_helped(an_upgrade_after(milliseconds, upgraded=0))
    assert trial.has_helped(replace(an_upgrade_after(500, upgraded=200), skipped=200)) is True


def test_the_rate_is_that_of_all_partitions_together() -> None:
    tallies = [
        Tally(upgraded=100, skipped=20, ordered=30, worked=timedelta(milliseconds=100)),
        Tally(upgraded=50, worked=timedelta(milliseconds=100)),
    ]
    partitions = [Partition(upgrade=FIRST, cursor=0, last=1, tally=tally) for tally in tallies]
    assert rate_of(partitions) == 1_000.0
    assert rate_of([]) == 0.0


def test_a_trial_keeps_other_workers_from_joining_for_a_while() -> None:
    trials, trial = Trials(), a_trial()
    trials.begin(FIRST, trial, until=EVENING, now=NOON)
    assert [trials.forbid(FIRST, others=others, now=NOON) for others in (1, 2, 3)] == [False, True, True]
    assert not trials.forbid(FIRST, others=2, now=EVENING)
    assert not trials.forbid(SECOND, others=2, now=NOON)
    assert trials.find(FIRST, "third") is trial
    assert trials.find(FIRST, "fourth") is None
    assert trials.find(SECOND, "third") is None


def test_after_the_trial_of_a_worker_that_stays_the_next_one_may_join() -> None:
    trials = Trials()
    trials.begin(FIRST, a_trial(), until=EVENING, now=NOON)
    trials.end(FIRST)
    assert not trials.forbid(FIRST, others=3, now=NOON)
    assert trials.find(FIRST, "third") is None


def test_old_trials_are_not_kept() -> None:
    trials = Trials()
    trials.begin(FIRST, a_trial(), until=NOON, now=NOON)
    trials.begin(SECOND, a_trial(), until=EVENING, now=NOON)
    assert trials.find(FIRST, "third") is None
    assert trials.find(SECOND, "third") is not None
