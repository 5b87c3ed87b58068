"""Writes the tables and the plot of the documents, from the data file and from what benchmarks say."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from bench.figures.catalogue import NAMES, bench_named
from bench.figures.figure import TIMES, Target
from bench.figures.plot import plot, summary
from bench.figures.result import Result, read_results
from bench.figures.table import markdown_of_figures, markdown_of_runs
from tests.support.project import DOCS, ROOT

FOLDER = DOCS / "explanation"
"""Where the data file, the plot and the page are."""
DATA, PLOT, PAGE = "benchmarks.json", "benchmarks.svg", "benchmarks.md"
README = ROOT / "bench" / "README.md"


def render(folder: Path) -> None:
    """Write the plot into a folder with a data file, and the tables into the page, if it is there."""
    results = read_results(folder / DATA)
    (folder / PLOT).write_text(plot(results), encoding="utf-8")
    if (page := folder / PAGE).exists():
        page.write_text(page_with(results, page.read_text(encoding="utf-8")), encoding="utf-8")


def render_readme() -> None:
    README.write_text(readme_with(README.read_text(encoding="utf-8")), encoding="utf-8")


def page_with(results: Sequence[Result], text: str) -> str:
    """The text of the page with the figures of these results."""
    text = with_part(text, "plot", [f"![{summary(results)}]({PLOT})"])
    text = with_part(text, "figures", markdown_of_figures(results))
    return with_part(text, "runs", markdown_of_runs(results))


def readme_with(text: str) -> str:
    """The text of the README with the table of all benchmarks."""
    return with_part(text, "benchmarks", overview())


def overview() -> Iterator[str]:
    """The table of all benchmarks and their targets."""
    yield "| `python -m bench.…` | Sizes of a full run | Compares | Targets |"
    yield "|---|---|---|---|"
    for name in NAMES:
        bench = bench_named(name)
        sizes = ", ".join(f"{size} {full:,}" for size, (full, _) in bench.sizes.items())
        yield f"| `{name}` | {sizes} | {bench.compares} | {'; '.join(map(described_target, bench.targets))} |"


def described_target(target: Target) -> str:
    return f"{target.what}: {target}{' times' if target.unit == TIMES else ''}"


def with_part(text: str, name: str, lines: Iterable[str]) -> str:
    """The text of a page with new lines between the marks of a part that is made by a program."""
    part = re.compile(rf"(<!-- {name}: .*? -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    assert len(part.findall(text)) == 1, (
        f"Expected one part {name} with its end, but the page has another number."
    )
    return part.sub(lambda found: found[1] + "\n" + "\n".join(lines) + "\n\n" + found[2], text)
