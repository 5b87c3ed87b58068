"""Figures of a benchmark, each beside its floor or peer, with the target that it must meet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median

TIMES = "times"
"""The unit of a target that bounds the ratio of ours to the peer."""


class Scale(StrEnum):
    """How large a benchmark runs."""

    FULL = "full"
    QUICK = "quick"
    """So small that it only shows that the benchmark runs: its figures mean nothing."""


class Bound(StrEnum):
    """On which side of the limit a figure must be."""

    AT_MOST = "at most"
    AT_LEAST = "at least"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a figure must reach. In `TIMES` it is the ratio to the peer, else ours in the given unit."""

    what: str
    bound: Bound
    limit: float
    unit: str = TIMES

    def __str__(self) -> str:
        return f"{self.bound} {self.limit:,g}{unit_after_number(self.unit)}"

    def is_met_by(self, value: float) -> bool:
        return value <= self.limit if self.bound is Bound.AT_MOST else value >= self.limit

    def part_used(self, value: float) -> float:
        """How near to the limit a value is: 0.5 is twice as good as required, 2 is half as good."""
        above, below = (value, self.limit) if self.bound is Bound.AT_MOST else (self.limit, value)
        if below == 0:
            return 0.0 if above == 0 else float("inf")
        return above / below


def at_most(what: str, limit: float, unit: str = TIMES) -> Target:
    return Target(what=what, bound=Bound.AT_MOST, limit=limit, unit=unit)


def at_least(what: str, limit: float, unit: str = TIMES) -> Target:
    return Target(what=what, bound=Bound.AT_LEAST, limit=limit, unit=unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One result. `ours` and `peer` are in `unit`; `rounds` are the values of the single rounds."""

    what: str
    ours: float
    unit: str
    peer: float | None = None
    beside: str = ""
    """What the peer is."""
    ratio: float | None = None
    """Of ours to the peer."""
    rounds: tuple[float, ...] = ()
    """Of each round the ratio, or ours if there is no peer."""
    target: Target | None = None

    @property
    def value(self) -> float:
        """What the target bounds."""
        if self.ratio is None or (self.target is not None and self.target.unit != TIMES):
            return self.ours
        return self.ratio

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without a target."""
        return None if self.target is None else self.target.is_met_by(self.value)


def compared(
    what: str,
    ours: Sequence[float],
    peer: Sequence[float],
    *,
    unit: str,
    beside: str,
    target: Target | None = None,
) -> Figure:
    """Rounds in which both took turns: the medians of both, and the median of the ratios of rounds."""
    ratios = [our / its for our, its in zip(ours, peer, strict=True)]
    return Figure(
        what=what,
        ours=_rounded(median(ours)),
        unit=unit,
        peer=_rounded(median(peer)),
        beside=beside,
        ratio=_rounded(median(ratios)),
        rounds=tuple(map(_rounded, ratios)),
        target=target,
    )


def single(what: str, ours: Sequence[float], *, unit: str, target: Target | None = None) -> Figure:
    """The median of rounds, beside nothing."""
    rounds = tuple(map(_rounded, ours))
    return Figure(what=what, ours=_rounded(median(ours)), unit=unit, rounds=rounds, target=target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a module of benchmarks says about itself. `measure` gets the sizes in their order."""

    compares: str
    """What is compared with what, in Markdown."""
    sizes: dict[str, tuple[int, int]]
    """Each size by its name: of a full run, and of a quick one."""
    targets: tuple[Target, ...]
    measure: Callable[..., Sequence[Figure]]
    needs: tuple[Callable[[], str | None], ...] = field(default=())
    """What must be there; each returns the reason why it is not, or None."""

    def sizes_of(self, scale: Scale) -> tuple[int, ...]:
        return tuple(size[list(Scale).index(scale)] for size in self.sizes.values())

    def unavailable_reason(self) -> str | None:
        """Why it cannot run here, or None."""
        return next((reason for need in self.needs if (reason := need())), None)


def percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def _rounded(value: float) -> float:
    """Five digits that count are enough for every table."""
    return float(f"{value:.5g}")


def number(value: float) -> str:
    """A number with three digits that count, or all of a larger one: 0.038, 1.30, 98.5, 21,100."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    if float(value).is_integer():
        return f"{value:.0f}"
    decimals = 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 4
    return f"{value:.{decimals}f}"


def unit_after_number(unit: str) -> str:
    """The unit as it follows a number; a ratio has none."""
    return "" if unit in (TIMES, "") else f" {unit}"
