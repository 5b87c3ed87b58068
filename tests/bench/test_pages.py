"""The pages of benchmarks show what the data file and the modules say, and nothing written by hand."""

import re
from xml.etree import ElementTree

import pytest

from bench.figures.catalogue import NAMES, bench_named
from bench.figures.figure import Scale, Target
from bench.figures.pages import DATA, FOLDER, PAGE, PLOT, README, page_with, readme_with
from bench.figures.plot import described, plot
from bench.figures.result import Result, read_results
from tests.support.project import ROOT

RESULTS = read_results(FOLDER / DATA)
NO_BENCHMARKS = {"load_model", "__main__", "soak.__main__"}
"""Commands that measure nothing, or that another module measures."""


def test_the_page_shows_the_figures_of_the_data_file() -> None:
    text = (FOLDER / PAGE).read_text(encoding="utf-8")
    assert page_with(RESULTS, text) == text


def test_the_plot_shows_the_figures_of_the_data_file() -> None:
    assert (FOLDER / PLOT).read_text(encoding="utf-8") == plot(RESULTS)


def test_the_readme_shows_what_the_modules_say() -> None:
    text = README.read_text(encoding="utf-8")
    assert readme_with(text) == text


def test_kept_figures_are_of_full_runs() -> None:
    assert RESULTS
    assert {result.scale for result in RESULTS} == {Scale.FULL}


def targets_in(result: Result) -> set[Target]:
    return {figure.target for figure in result.figures if figure.target is not None}


@pytest.mark.parametrize(
    "result", [result for result in RESULTS if result.figures], ids=lambda result: result.bench
)
def test_kept_figures_have_the_targets_of_today(result: Result) -> None:
    again = f"Run python -m bench --only {result.bench} again: its targets have changed."
    assert targets_in(result) == set(bench_named(result.bench).targets), again


def test_each_command_of_a_benchmark_is_in_the_catalogue() -> None:
    folder = ROOT / "bench"
    commands = {
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in folder.rglob("*.py")
        if "run_alone(BENCH)" in path.read_text(encoding="utf-8")
    }
    assert commands == set(NAMES)


def test_the_plot_has_a_bar_for_each_figure_with_a_target_and_a_description() -> None:
    root = ElementTree.fromstring(plot(RESULTS))
    svg = "{http://www.w3.org/2000/svg}"
    bars = [bar for bar in root.iter(f"{svg}rect") if re.match("met|missed", bar.get("class", ""))]
    judged = [figure for result in RESULTS for figure in result.figures if figure.target is not None]
    assert len(bars) == len(judged)
    assert root.findtext(f"{svg}desc") == described(RESULTS)
    assert root.get("aria-labelledby") == "title desc"
