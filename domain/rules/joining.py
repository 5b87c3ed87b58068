"""Decides whether a further worker joins an upgrade that others run, and whether it stays.

Too many workers for the cores of a machine take turns, and run an upgrade more slowly. How many are too many
shows only in what all of them achieve together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

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
    """How long a rate is measured."""
    retry_after: timedelta = timedelta(seconds=30)
    """After a failed trial, how long no further worker of the program joins the upgrade."""

    def allows(self, upgrade: Upgrade, others: int) -> bool:
        """Whether a worker may join an upgrade that so many others run."""
        if others < self.unmeasured:
            return True
        remaining = upgrade.remaining
        return upgrade.worked >= self.measured and remaining is not None and remaining >= self.worth


class Trial:
    """The trial of a worker that joined an upgrade: it leaves unless the upgrade has become faster.

    `rate` is the rate of the others before, in outcomes per second.
    """

    def __init__(self, policy: JoinPolicy, *, worker: str, others: int, rate: float) -> None:
        self.worker = worker
        self.others = others
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
    """The last trials of the workers of one program: one at a time for each upgrade."""

    def __init__(self) -> None:
        self._last: dict[UpgradeId, tuple[Trial, datetime]] = {}

    def begin(self, upgrade_id: UpgradeId, trial: Trial, *, until: datetime, now: datetime) -> None:
        """Begin a trial. Unless it ends, it keeps others from joining until this time."""
        self._last = {key: last for key, last in self._last.items() if last[1] > now}
        self._last[upgrade_id] = trial, until

    def find(self, upgrade_id: UpgradeId, worker: str) -> Trial | None:
        """The trial of a worker that has joined this upgrade."""
        last = self._last.get(upgrade_id)
        return last[0] if last is not None and last[0].worker == worker else None

    def end(self, upgrade_id: UpgradeId) -> None:
        """End the trial of a worker that stays. The trial of one that leaves does not end."""
        self._last.pop(upgrade_id, None)

    def forbid(self, upgrade_id: UpgradeId, *, others: int, now: datetime) -> bool:
        """Whether a trial beside as many workers or fewer runs, or has failed."""
        last = self._last.get(upgrade_id)
        return last is not None and others >= last[0].others and now < last[1]


def outcomes_per_second(tallies: Sequence[Tally]) -> float:
    """The rate of all workers of an upgrade together, from what some chunks did; 0 if they took no time."""
    seconds = sum(tally.worked.total_seconds() for tally in tallies)
    return (
        sum(tally.upgraded + tally.skipped + tally.ordered for tally in tallies) / seconds if seconds else 0.0
    )


def rate_of(partitions: Sequence[Partition]) -> float:
    """The rate of all workers of an upgrade together, from the partitions that they hold."""
    return outcomes_per_second([partition.tally for partition in partitions])
