"""The program that runs one benchmark for `python -m bench`, so that none disturbs another.

It writes the figures, or why it cannot run, or how it failed, to a file.
"""

import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from bench.figures.catalogue import bench_named
from bench.figures.figure import Figure, Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the program writes."""

    figures: Sequence[Figure] = ()
    not_run: str = ""
    failed: str = ""


def answer(name: str, scale: Scale) -> Answer:
    """Run a benchmark, whatever becomes of it."""
    try:
        bench = bench_named(name)
        if reason := bench.unavailable_reason():
            return Answer(not_run=reason)
        return Answer(figures=tuple(bench.measure(*bench.sizes_of(scale))))
    except pytest.skip.Exception as missing:  # the helpers of tests say so what they miss
        return Answer(not_run=str(missing))
    except Exception as error:
        traceback.print_exc()
        first = str(error).strip().partition("\n")[0]
        return Answer(failed=f"{type(error).__name__}: {first}")


if __name__ == "__main__":
    chosen_name, chosen_scale, file = sys.argv[1:]
    Path(file).write_bytes(msgspec.json.encode(answer(chosen_name, Scale(chosen_scale))))
