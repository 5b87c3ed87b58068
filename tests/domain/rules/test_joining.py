"""A further worker joins an upgrade that takes long, and stays if the upgrade becomes faster."""

from dataclasses import replace
from datetime import timedelta

import pytest

from uplift.domain.model.upgrade import Partition, Tally, Upgrade, UpgradeId
from uplift.domain.rules.joining import JoinPolicy, Trial, Trials, rate_of
from uplift.testing.builders import an_id, an_upgrade

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


def held_after(milliseconds: int, *, upgraded: int, others: int = 2) -> list[Partition]:
    """The partitions that others hold. They have worked so long in all, the first of them alone."""
    tallies = [Tally(upgraded=upgraded, worked=timedelta(milliseconds=milliseconds))] + [Tally()] * others
    return [Partition(upgrade=FIRST, cursor=0, last=1, tally=tally) for tally in tallies[:others]]


def a_trial(*, worker: str = "third", others: int = 2, rate: float = 1_000) -> Trial:
    return Trial(POLICY, worker=worker, others=others, rate=rate)


@pytest.mark.parametrize("others", [0, 1])
def test_two_workers_join_at_once(others: int) -> None:
    assert POLICY.allows(an_upgrade_after(0, upgraded=0), held_after(0, upgraded=0, others=others))


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
    assert POLICY.allows(upgrade, held_after(milliseconds, upgraded=upgraded)) is allowed


@pytest.mark.parametrize(
    ("milliseconds", "upgraded", "allowed"),
    [(0, 0, False), (299, 299, False), (300, 0, False), (300, 300, True)],
    ids=["just claimed", "few figures", "nothing done", "measured"],
)
def test_a_third_worker_joins_when_the_rate_of_the_held_partitions_is_known(
    milliseconds: int, upgraded: int, allowed: bool
) -> None:
    upgrade = an_upgrade_after(1_000, upgraded=1_000)
    assert POLICY.allows(upgrade, held_after(milliseconds, upgraded=upgraded)) is allowed


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


class Seconds:
    """A monotonic clock that advances only on request."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_running_trial_keeps_others_from_joining_however_long_it_takes() -> None:
    trials, trial = Trials(seconds := Seconds()), a_trial()
    trials.begin(FIRST, trial)
    for seconds.now in (0, 1_000):
        assert [trials.forbids(FIRST, others=others) for others in (1, 2, 3)] == [False, True, True]
        assert not trials.forbids(SECOND, others=2)
        assert trials.find(FIRST, "third") is trial
    assert trials.find(FIRST, "fourth") is None
    assert trials.find(SECOND, "third") is None


def test_a_trial_does_not_replace_that_of_another_worker() -> None:
    trials, third, fourth = Trials(), a_trial(others=3), a_trial(worker="fourth", others=2)
    trials.begin(FIRST, third)
    trials.begin(FIRST, fourth)
    assert trials.find(FIRST, "third") is third
    trials.end(FIRST, "third")
    assert trials.find(FIRST, "fourth") is fourth


def test_a_failed_trial_keeps_others_from_joining_for_a_while() -> None:
    trials = Trials(seconds := Seconds())
    trials.begin(FIRST, a_trial())
    seconds.now = 40
    trials.fail(FIRST, "third")
    assert trials.find(FIRST, "third") is None
    seconds.now = 69
    assert [trials.forbids(FIRST, others=others) for others in (1, 2, 3)] == [False, True, True]
    seconds.now = 70
    assert not trials.forbids(FIRST, others=2)


def test_after_the_trial_of_a_worker_that_stays_the_next_one_may_join() -> None:
    trials = Trials()
    trials.begin(FIRST, a_trial())
    trials.end(FIRST, "third")
    assert not trials.forbids(FIRST, others=3)
    assert trials.find(FIRST, "third") is None
