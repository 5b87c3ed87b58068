"""The command `python -m bench`: runs benchmarks in turn, and keeps their figures in the documents."""

import argparse
import signal
import sys
from pathlib import Path

from bench.figures.catalogue import NAMES, bench_named, chosen
from bench.figures.figure import Scale
from bench.figures.pages import DATA, FOLDER, described_target, render, render_readme
from bench.figures.result import Result, merged, read_results, write_results
from bench.figures.run import run
from bench.figures.table import lines_of_results


def main() -> int:
    """Do what the arguments say. Returns 1 if a benchmark failed, 130 if the command was interrupted."""
    options = arguments()
    try:
        names = chosen(options.only, options.without)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.list:
        show(names)
        return 0
    if options.render:
        render(FOLDER)
        render_readme()
        return 0
    scale = Scale.QUICK if options.quick else Scale.FULL
    folder = options.into or (None if options.quick else FOLDER)
    results: list[Result] = []
    try:
        run_all(names, scale, folder, results)
    except KeyboardInterrupt:
        print("interrupted; what ran before is kept", file=sys.stderr)
        return 130
    finally:
        print("\n".join(lines_of_results(results)), flush=True)
    return int(any(result.failed for result in results))


def run_all(names: list[str], scale: Scale, folder: Path | None, results: list[Result]) -> None:
    """Run benchmarks in turn, add their results, and keep each in a folder as soon as it is there."""
    for name in names:
        bench_named(name)  # a module that cannot be imported shows before the first one runs
    for place, name in enumerate(names, 1):
        print(f"== {name} ({place} of {len(names)})", flush=True)
        results.append(run(name, scale))
        if results[-1].problem:
            print(results[-1].problem, flush=True)
        if folder is not None:
            keep(results[-1], folder)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Runs benchmarks, and keeps their figures."
    )
    parser.add_argument(
        "--list", action="store_true", help="show the benchmarks, their targets and their last run"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="these; `engines` is all of that folder"
    )
    parser.add_argument("--without", nargs="+", default=[], metavar="NAME", help="all but these")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, to see that all run; keeps nothing"
    )
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER", help=f"keep figures and plot there, not in {FOLDER}"
    )
    parser.add_argument(
        "--render", action="store_true", help="run nothing, and make the pages from the kept figures"
    )
    return parser.parse_args()


def show(names: list[str]) -> None:
    """Print what each benchmark compares, its targets, and how long it last took."""
    last = {result.bench: result for result in read_results(FOLDER / DATA)}
    for name in names:
        bench = bench_named(name)
        print(f"{name}: {bench.compares}")
        for target in bench.targets:
            print(f"    target: {described_target(target)}")
        if name in last:
            print(f"    last run: {last[name].date}, {last[name].seconds:.0f} s")
        if reason := bench.unavailable_reason():
            print(f"    cannot run here: {reason}")


def keep(result: Result, folder: Path) -> None:
    """Replace the figures of a benchmark in the data file of a folder, and make the pages from it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_results(folder / DATA, merged(read_results(folder / DATA), result, NAMES))
    render(folder)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # `timeout` and `kill` stop it as Ctrl-C does
    sys.exit(main())
