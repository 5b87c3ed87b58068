"""Figures: which target is met, how results are kept, and how tables show them."""

from dataclasses import replace
from pathlib import Path

import pytest

from bench.figures.figure import Figure, Scale, Target, at_least, at_most, compared, number, single
from bench.figures.machine import BUSY, this_machine
from bench.figures.plot import plot
from bench.figures.result import Result, merged, read_results, write_results
from bench.figures.table import lines_of_results, markdown_of_figures, markdown_of_runs


def a_result(bench: str = "graphql_page", *figures: Figure, busy: float = 0.0, **facts: str) -> Result:
    return Result(
        bench=bench,
        date="2026-11-30 23:05",
        commit="abc1234",
        scale=Scale.FULL,
        sizes={"rows": 1_000},
        machine=this_machine(),
        seconds=12.5,
        load_average=0.5,
        busy_before=busy,
        busy_after=0.0,
        figures=figures,
        **facts,
    )


def a_figure(ours: float, peer: float, target: Target) -> Figure:
    return compared("whole", [ours], [peer], unit="s", beside="bare", target=target)


@pytest.mark.parametrize(
    ("figure", "value", "is_met", "part"),
    [
        (a_figure(3.0, 2.0, at_most("whole", 1.5)), 1.5, True, 1.0),
        (a_figure(3.1, 2.0, at_most("whole", 1.5)), 1.55, False, 1.55 / 1.5),
        (a_figure(3.0, 2.0, at_least("whole", 3)), 1.5, False, 2.0),
        (a_figure(30.0, 2.0, at_least("whole", 3)), 15.0, True, 0.2),
        (a_figure(40.0, 2.0, at_most("whole", 50, "s")), 40.0, True, 0.8),
        (single("answers", [0.0], unit="", target=at_most("answers", 0, "answers")), 0.0, True, 0.0),
        (
            single("answers", [1.0], unit="", target=at_most("answers", 0, "answers")),
            1.0,
            False,
            float("inf"),
        ),
    ],
)
def test_a_target_bounds_the_ratio_or_our_own_figure(
    figure: Figure, value: float, is_met: bool, part: float
) -> None:
    assert figure.target is not None
    assert figure.value == value
    assert figure.is_met is is_met
    assert figure.target.part_used(value) == pytest.approx(part)


def test_a_comparison_has_the_medians_of_both_and_of_the_ratios_of_rounds() -> None:
    figure = compared("whole", [2.0, 9.0, 4.0], [1.0, 3.0, 4.0], unit="s", beside="bare")
    assert (figure.ours, figure.peer, figure.rounds) == (4.0, 3.0, (2.0, 3.0, 1.0))
    assert figure.ratio == 2.0
    assert figure.is_met is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.03812, "0.0381"), (1.3, "1.30"), (3, "3"), (98.53, "98.5"), (21_100.4, "21,100")],
)
def test_a_number_has_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = [a_result("graphql_page", a_figure(3, 2, at_most("whole", 1.5))), a_result(not_run="no Java")]
    write_results(tmp_path / "data.json", results)
    assert read_results(tmp_path / "data.json") == results
    assert read_results(tmp_path / "other.json") == []


def test_the_latest_result_of_each_benchmark_is_kept_in_their_order() -> None:
    first, second = a_result("first"), a_result("second", a_figure(3, 2, at_most("whole", 1.5)))
    newer = replace(second, date="2026-12-01 08:00")
    assert merged([second, a_result("removed")], first, ["first", "second"]) == [first, second]
    assert merged([first, second], newer, ["first", "second"]) == [first, newer]


def test_a_run_without_figures_leaves_earlier_ones_with_a_note() -> None:
    earlier = a_result("first", a_figure(3, 2, at_most("whole", 1.5)))
    failed = replace(a_result("first", failed="OSError: full"), date="2026-12-01 08:00")
    (found,) = merged([earlier], failed, ["first"])
    assert found == replace(earlier, later="2026-12-01 08:00, abc1234: failed: OSError: full")
    assert "a later run has no figures, 2026-12-01 08:00" in "\n".join(markdown_of_runs([found]))
    assert merged([failed], a_result("first", not_run="no Java"), ["first"])[0].not_run == "no Java"


def test_figures_under_load_are_marked() -> None:
    missed = a_figure(4, 2, at_most("whole", 1.5))
    assert "| **missed** |" in "\n".join(markdown_of_figures([a_result("graphql_page", missed)]))
    loaded = a_result("graphql_page", missed, busy=BUSY + 0.01)
    assert "| **missed**, under load |" in "\n".join(markdown_of_figures([loaded]))
    assert "while other programs used the machine" in "\n".join(lines_of_results([loaded]))
    assert 'class="missed load"' in plot([loaded])


def test_what_did_not_run_says_why() -> None:
    not_run = a_result("graphql_page", not_run="there is no Java")
    assert "| `graphql_page` | not run: there is no Java |" in "\n".join(markdown_of_figures([not_run]))
    assert "not run: there is no Java" in list(lines_of_results([not_run]))
    assert "| `graphql_page` | not run: no run has been kept |" in "\n".join(markdown_of_figures([]))
