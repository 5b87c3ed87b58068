"""Records the duration and result of each operation, and the server's memory."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from bench.figures.figure import percentile
from bench.memory import memory_of

LOOK_EVERY = 0.25
"""Seconds between two looks at the memory of the server."""


@dataclass
class Measures:
    """What clients have measured so far. Times are in seconds, memory in MiB."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Refusals that a client reckons with, by operation and code."""
    hung_up: Counter[str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    @contextmanager
    def timing(self, operation: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.took[operation].append(time.perf_counter() - began)

    async def watch_memory(self, process: int) -> None:
        """Note the memory of a process and its children until cancelled."""
        while True:
            self.memory.append(memory_of(process))
            await asyncio.sleep(LOOK_EVERY)


def table(measures: Measures, seconds: float) -> Iterator[str]:
    """The measures in lines to read."""
    every = sum(map(len, measures.took.values()))
    yield f"{every:,} operations in {seconds:.1f} s: {every / seconds:.0f} a second"
    yield f"{'':34}{'done':>8}{'a second':>10}{'p50 ms':>9}{'p95':>9}{'p99':>9}{'longest':>9}"
    for operation, took in sorted(measures.took.items()):
        shown = "".join(f"{percentile(took, percent) * 1e3:9.1f}" for percent in (50, 95, 99, 100))
        yield f"{operation:34}{len(took):8,}{len(took) / seconds:10.1f}{shown}"
    yield f"hung up: {named(measures.hung_up)}"
    refused = Counter({f"{operation} {code}": n for (operation, code), n in measures.refused.items()})
    yield f"refused, as expected: {named(refused)}"
    yield from growth(measures.memory)


def growth(memory: list[float]) -> Iterator[str]:
    """How the memory grew; the looks at it were evenly spread."""
    second, last = later_thirds(memory)
    yield (
        f"server memory: {memory[0]:.0f} MiB at first, {second:.0f} in the second third of the time and "
        f"{last:.0f} in the last (medians), which is {last - second:+.0f} MiB; at most {max(memory):.0f}"
    )
    tenths = [memory[(len(memory) - 1) * tenth // 10] for tenth in range(11)]
    yield f"at each tenth of the time: {', '.join(f'{size:.0f}' for size in tenths)} MiB"


def later_thirds(memory: list[float]) -> tuple[float, float]:
    """The medians of the second and the last third of the time: at first, caches and pools fill."""
    second = median(memory[len(memory) // 3 : len(memory) * 2 // 3] or memory)
    return second, median(memory[len(memory) * 2 // 3 :])


def named(counts: Counter[str]) -> str:
    return ", ".join(f"{what} {count:,}" for what, count in sorted(counts.items())) or "none"
