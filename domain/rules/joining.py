"""Decides whether a further worker joins an upgrade that others run, and whether it stays.

Too many workers for the cores of a machine take turns, and run an upgrade more slowly. How many are too many
shows only in what all of them achieve together.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from uplift.domain.model.selection import UpgradeId
from uplift.domain.model.upgrade import Partition, Tally, Upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinPolicy:
    """When a worker joins an upgrade, and when it leaves it again because the upgrade has not become faster.

    `settling` and `measured` are processing times of the upgrade (`Upgrade.worked`).
    """

    unmeasured: int = 2
    """So many workers join at once. One alone leaves the database idle while it works itself."""
    worth: timedelta = timedelta(seconds=2)
    """A further worker joins an upgrade that will take at least so long. Less does not repay the trial."""
    settling: timedelta = timedelta(milliseconds=200)
    """The start of a trial that does not count: the sizes of chunks adapt, and old chunks end."""
    measured: timedelta = timedelta(milliseconds=200)
    """For so long a rate is measured: that of the others before a trial, then that of all workers in it."""
    retry_after: timedelta = timedelta(seconds=30)
    """After a failed trial, how long no further worker of the program joins the upgrade."""

    def allows(self, upgrade: Upgrade, others: Sequence[Partition]) -> bool:
        """Whether a worker may join an upgrade of which others hold these partitions."""
        if len(others) < self.unmeasured:
            return True
        remaining = upgrade.remaining
        return self._is_known(others) and remaining is not None and remaining >= self.worth

    def _is_known(self, others: Sequence[Partition]) -> bool:
        # A partition just claimed has an empty tally. Every trial would succeed beside a rate of 0.
        worked = sum((partition.tally.worked for partition in others), timedelta())
        return worked >= self.measured and rate_of(others) > 0


class Trial:
    """The trial of a worker that joined an upgrade: it leaves unless the upgrade has become faster.

    `rate` is the rate of the others before, in outcomes per second.
    """

    def __init__(self, policy: JoinPolicy, *, worker: str, others: int, rate: float) -> None:
        self.worker = worker
        self.others = others
        self.retry_after = policy.retry_after
        self._policy = policy
        # Half of what each of the others did must come on top.
        self._required = rate * (1 + 1 / (2 * others))
        self._joined: Tally | None = None
        self._settled: Tally | None = None

    def has_helped(self, upgrade: Upgrade) -> bool | None:
        """Whether the upgrade has become faster; None while that is unknown. Call it after each chunk."""
        now = upgrade.tally
        if self._joined is None:
            self._joined = now
        if self._settled is None:
            if (now - self._joined).worked >= self._policy.settling:
                self._settled = now
            return None
        since = now - self._settled
        if since.worked < self._policy.measured:
            return None
        return outcomes_per_second([since]) >= self._required


class Trials:
    """The running and the failed trials of the workers of one program.

    `seconds` returns the time of a clock that is never set, such as `time.monotonic`.
    """

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._running: dict[tuple[UpgradeId, str], Trial] = {}
        self._failed: dict[UpgradeId, tuple[Trial, float]] = {}

    def begin(self, upgrade_id: UpgradeId, trial: Trial) -> None:
        """Begin the trial of a worker. It runs, however long, until it ends or fails."""
        self._running[upgrade_id, trial.worker] = trial

    def find(self, upgrade_id: UpgradeId, worker: str) -> Trial | None:
        """The running trial of a worker that has joined this upgrade."""
        return self._running.get((upgrade_id, worker))

    def end(self, upgrade_id: UpgradeId, worker: str) -> None:
        """End the trial of a worker, if it has one: it stays, or leaves for another reason."""
        self._running.pop((upgrade_id, worker), None)

    def fail(self, upgrade_id: UpgradeId, worker: str) -> None:
        """End the running trial of a worker that has not helped. Others do not join for `retry_after`."""
        trial, now = self._running.pop((upgrade_id, worker)), self._seconds()
        self._failed = {key: failed for key, failed in self._failed.items() if failed[1] > now}
        self._failed[upgrade_id] = trial, now + trial.retry_after.total_seconds()

    def forbids(self, upgrade_id: UpgradeId, *, others: int) -> bool:
        """Whether a trial beside as many workers or fewer runs, or has failed a short time ago."""
        running = [trial for (of, _), trial in self._running.items() if of == upgrade_id]
        if any(others >= trial.others for trial in running):
            return True
        failed = self._failed.get(upgrade_id)
        return failed is not None and others >= failed[0].others and self._seconds() < failed[1]


def outcomes_per_second(tallies: Sequence[Tally]) -> float:
    """The rate of all workers of an upgrade together, from what some chunks did; 0 if they took no time."""
    seconds = sum(tally.worked.total_seconds() for tally in tallies)
    return (
        sum(tally.upgraded + tally.skipped + tally.ordered for tally in tallies) / seconds if seconds else 0.0
    )


def rate_of(partitions: Sequence[Partition]) -> float:
    """The rate of all workers of an upgrade together, from the partitions that they hold."""
    return outcomes_per_second([partition.tally for partition in partitions])
