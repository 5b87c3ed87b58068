"""The figures of a soak on each database: broken laws, operations a second, and some percentiles.

Run: python -m bench.soak.figures [seconds] [instances]
"""

from collections.abc import Iterator

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, at_most, percentile, single
from bench.figures.needs import postgresql
from bench.soak.__main__ import soak_on
from bench.soak.measures import later_thirds
from bench.soak.soak import Report

SHOWN = (
    "instance with history",
    "page of instances",
    "upgrades with outcomes",
    "reportInstances",
    "upgrade by ids",
    "upgrade all active",
)


def measure(seconds: int, instances: int) -> list[Figure]:
    figures: list[Figure] = []
    for database, name in (("sqlite", "SQLite"), ("postgres", "PostgreSQL")):
        report = soak_on(database, seed=1, instances=instances, seconds=seconds)
        print("\n".join(report.lines()))
        figures += figures_of(name, report)
    return figures


def figures_of(name: str, report: Report) -> Iterator[Figure]:
    measures = report.measures
    yield single(f"{name}: unexpected answers", [len(measures.unexpected)], unit="", target=UNEXPECTED)
    yield single(f"{name}: broken laws", [len(report.broken)], unit="", target=BROKEN)
    every = sum(map(len, measures.took.values()))
    yield single(f"{name}: operations", [every / report.seconds], unit="/s")
    second, last = later_thirds(measures.memory)
    yield single(f"{name}: growth of memory in the last third", [last - second], unit="MiB")
    for operation in SHOWN:
        if took := measures.took.get(operation):
            p99 = percentile(took, 99) * 1_000
            yield single(f"{name}: {operation}, 99th percentile", [p99], unit="ms")


UNEXPECTED = at_most("unexpected answers", 0, "answers")
BROKEN = at_most("broken laws", 0, "laws")
BENCH = Bench(
    compares="nothing; it runs mixed traffic on both databases, then checks whether all laws hold",
    sizes={"seconds": (45, 2), "instances": (20_000, 4_000)},
    targets=(UNEXPECTED, BROKEN),
    measure=measure,
    needs=(postgresql,),
)

if __name__ == "__main__":
    run_alone(BENCH)
