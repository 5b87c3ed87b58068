"""The result of one run of a benchmark, and the data file that keeps the latest of each.

Tables and plots are made from this file alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from bench.figures.figure import Figure, Scale
from bench.figures.machine import BUSY, Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one run of a benchmark found, where and when."""

    bench: str
    date: str
    """In UTC: 2026-11-30 23:05."""
    commit: str
    scale: Scale
    sizes: Mapping[str, int]
    machine: Machine
    seconds: float
    load_average: float
    """Of the last minute before; earlier benchmarks of the same command are part of it."""
    busy_before: float
    """Cores that other programs used just before."""
    busy_after: float
    figures: tuple[Figure, ...] = ()
    not_run: str = ""
    """Why it could not run here."""
    failed: str = ""
    """What it said in the end, if it failed."""
    later: str = ""
    """What became of a later run that has no figures."""

    @property
    def is_under_load(self) -> bool:
        """Whether other programs used the machine, so that its figures say little."""
        return max(self.busy_before, self.busy_after) > BUSY

    @property
    def problem(self) -> str:
        """Why it has no figures, or nothing."""
        return f"not run: {self.not_run}" if self.not_run else f"failed: {self.failed}" if self.failed else ""


def read_results(path: Path) -> list[Result]:
    """The results in a data file; none if there is no such file."""
    return msgspec.json.decode(path.read_bytes(), type=list[Result]) if path.exists() else []


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Write the data file. A run that is killed leaves the old file or the new one, never a part."""
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
    part.replace(path)


def merged(earlier: Iterable[Result], newer: Result, order: Sequence[str]) -> list[Result]:
    """The latest result of each benchmark, in this order.

    A run without figures does not replace earlier figures: they get a note. Results of benchmarks that are
    not in `order` are dropped.
    """
    latest = {result.bench: result for result in earlier}
    before = latest.get(newer.bench)
    if newer.problem and before is not None and before.figures:
        newer = replace(before, later=f"{newer.date}, {newer.commit}: {newer.problem}")
    latest[newer.bench] = newer
    return [latest[name] for name in order if name in latest]
