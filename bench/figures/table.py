"""The tables of figures: for the terminal, and in Markdown for the documents."""

from collections.abc import Iterable, Iterator, Sequence

from bench.figures.catalogue import NAMES
from bench.figures.figure import TIMES, Figure, number, unit_after_number
from bench.figures.result import Result

HEAD = ("What", "Uplift", "Beside", "Ratio (of single rounds)", "Target", "")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Names of machines."""


def lines_of_figures(figures: Iterable[Figure]) -> Iterator[str]:
    """A table for the terminal."""
    rows = [HEAD, *(cells_of(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def lines_of_results(results: Iterable[Result]) -> Iterator[str]:
    """All figures for the terminal, with what could not run and what failed."""
    for result in results:
        load = ", while other programs used the machine" if result.is_under_load else ""
        yield f"\n{result.bench}: {result.date}, {result.seconds:.0f} s{load}"
        if result.figures:
            yield from lines_of_figures(result.figures)
        if result.problem:
            yield result.problem


def markdown_of_figures(results: Sequence[Result]) -> Iterator[str]:
    """The table of all figures for the documents. Benchmarks without figures say why."""
    yield "| Benchmark | What | Uplift | Beside | Ratio (of single rounds) | Target | |"
    yield "|---|---|---|---|---|---|---|"
    by_name = {result.bench: result for result in results}
    for name in NAMES:
        result = by_name.get(name)
        if result is None or not result.figures:
            problem = "not run: no run has been kept" if result is None else result.problem
            yield f"| `{name}` | {_cell(problem)} | | | | | |"
            continue
        for place, figure in enumerate(result.figures):
            *cells, verdict = cells_of(figure)
            if verdict == "missed":
                verdict = "**missed**"
            if verdict and result.is_under_load:
                verdict += ", under load"
            first = f"`{name}`" if place == 0 else ""
            yield f"| {first} | {' | '.join(map(_cell, (*cells, verdict)))} |"


def markdown_of_runs(results: Sequence[Result]) -> Iterator[str]:
    """When and where each benchmark ran."""
    machines = list(dict.fromkeys(result.machine for result in results))
    for letter, machine in zip(LETTERS, machines, strict=False):
        yield f"- Machine {letter}: {machine}."
    yield ""
    yield "| Benchmark | Machine | Date (UTC) | Commit | Sizes | Took | Cores that others used | Load | |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for result in results:
        cells = (
            f"`{result.bench}`",
            LETTERS[machines.index(result.machine)],
            result.date,
            f"`{result.commit}`",
            ", ".join(f"{name} {size:,}" for name, size in result.sizes.items()),
            f"{result.seconds:.0f} s",
            f"{result.busy_before:.2f} before, {result.busy_after:.2f} after",
            f"{result.load_average:.2f}",
            _cell(_remark(result)),
        )
        yield f"| {' | '.join(cells)} |"


def _remark(result: Result) -> str:
    mark = "under load" if result.is_under_load else ""
    later = f"a later run has no figures, {result.later}" if result.later else ""
    return "; ".join(filter(None, (mark, result.problem, later)))


def cells_of(figure: Figure) -> tuple[str, ...]:
    """The cells of a row, in the order of HEAD."""
    unit = unit_after_number(figure.unit)
    beside = "" if figure.peer is None else f"{number(figure.peer)}{unit}, {figure.beside}"
    ratio = "" if figure.ratio is None else number(figure.ratio)
    spread = ""
    if len(figure.rounds) > 1:
        spread = f" ({number(min(figure.rounds))} to {number(max(figure.rounds))})"
    ours = f"{number(figure.ours)}{unit}"
    if figure.ratio is None:
        ours += spread
    else:
        ratio += spread
    target = "" if figure.target is None else _target_of(figure)
    verdict = {None: "", True: "met", False: "missed"}[figure.is_met]
    return figure.what, ours, beside, ratio, target, verdict


def _target_of(figure: Figure) -> str:
    assert figure.target is not None
    of_ratio = figure.target.unit == TIMES and figure.ratio is not None
    return f"{figure.target}{' times' if of_ratio else ''}"


def _cell(text: str) -> str:
    """A text as one cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")
