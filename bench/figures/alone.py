"""Runs one benchmark by its own command: python -m bench.<name> [sizes …]."""

import argparse

from bench.figures.figure import Bench, Scale
from bench.figures.table import lines_of_figures


def run_alone(bench: Bench) -> None:
    """Measure in this process, with the sizes of the command line, and print the figures."""
    parser = argparse.ArgumentParser(description=bench.compares)
    for name, size in zip(bench.sizes, bench.sizes_of(Scale.FULL), strict=True):
        parser.add_argument(name, type=int, nargs="?", default=size, help=f"default: {size:,}")
    sizes = vars(parser.parse_args()).values()
    if reason := bench.unavailable_reason():
        raise SystemExit(f"not run: {reason}")
    print("\n".join(lines_of_figures(bench.measure(*sizes))))
