"""The command `python -m bench`: it runs what was chosen, keeps figures, and says what could not run."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.figures import child
from bench.figures import run as run_module
from bench.figures.catalogue import NAMES, bench_named, chosen
from bench.figures.child import Answer
from bench.figures.figure import Bench, Figure, Scale
from bench.figures.pages import DATA, PLOT
from bench.figures.result import read_results
from bench.figures.run import answer_of_child
from tests.support.long_mode import long_only
from tests.support.project import ROOT


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_quick_run_keeps_figures_where_it_is_asked_to(tmp_path: Path) -> None:
    done = run("--quick", "--only", "graphql_page", "--into", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (result,) = read_results(tmp_path / DATA)
    assert (result.bench, result.scale, result.sizes) == (
        "graphql_page",
        Scale.QUICK,
        {"rows": 50, "rounds": 1, "runs": 3},
    )
    assert {"nodes", "edges"} <= {figure.what for figure in result.figures}
    assert all(figure.ours > 0 for figure in result.figures)
    assert "graphql_page: nodes" in (tmp_path / PLOT).read_text()
    assert "json.dumps" in done.stdout


def test_a_name_that_no_benchmark_has_is_refused() -> None:
    done = run("--only", "graphql_pages")
    assert done.returncode == 2
    assert done.stderr == "Expected the name of a benchmark, but got 'graphql_pages'; --list shows all.\n"


def test_a_benchmark_that_fails_says_how() -> None:
    answer = answer_of_child("memory", Scale.QUICK)  # a module without a benchmark
    assert answer.figures == []
    assert answer.failed == "AttributeError: module 'bench.memory' has no attribute 'BENCH'"


def test_a_benchmark_that_takes_too_long_is_stopped() -> None:
    answer = answer_of_child("soak.figures", Scale.FULL, timeout=0.2)
    assert answer.failed == "it took more than 0.2 s"


def test_an_interrupted_run_keeps_what_ran_before(tmp_path: Path) -> None:
    names = ("--only", "graphql_page", "soak.figures")
    command = [sys.executable, "-m", "bench", "--quick", *names, "--into", str(tmp_path)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / PLOT).exists() and running.poll() is None:
        time.sleep(0.05)
    running.terminate()
    out, errors = running.communicate()
    assert running.returncode == 130, errors
    assert [result.bench for result in read_results(tmp_path / DATA)] == ["graphql_page"]
    assert "interrupted; what ran before is kept" in errors
    assert "json.dumps" in out


def test_the_others_run_when_one_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answers = {"graphql_page": Answer(failed="OSError: full"), "compare_models": Answer(not_run="no Java")}
    monkeypatch.setattr(run_module, "answer_of_child", lambda name, _: answers[name])
    names = ("--only", "graphql_page", "compare_models")
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", *names, "--into", str(tmp_path)])
    assert main() == 1
    assert [result.problem for result in read_results(tmp_path / DATA)] == [
        "failed: OSError: full",
        "not run: no Java",
    ]
    shown = capsys.readouterr().out
    assert "failed: OSError: full" in shown
    assert "not run: no Java" in shown


def test_a_benchmark_that_cannot_run_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def skipped() -> list[Figure]:
        pytest.skip("Maven cannot build it")

    bench = Bench(compares="", sizes={}, targets=(), measure=skipped)
    monkeypatch.setattr(child, "bench_named", {"skipped": bench}.__getitem__)
    assert child.answer("skipped", Scale.QUICK).not_run == "Maven cannot build it"
    missing = Bench(compares="", sizes={}, targets=(), measure=skipped, needs=(lambda: "there is no Java",))
    monkeypatch.setattr(child, "bench_named", {"missing": missing}.__getitem__)
    assert child.answer("missing", Scale.QUICK).not_run == "there is no Java"


def test_benchmarks_are_chosen_by_name_or_folder() -> None:
    assert chosen([], []) == list(NAMES)
    assert chosen(["graphql_page"], []) == ["graphql_page"]
    assert "graphql_page" not in chosen([], ["graphql_page"])


@long_only
def test_all_benchmarks_run(tmp_path: Path) -> None:
    done = run("--quick", "--into", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    results = read_results(tmp_path / DATA)
    assert [result.bench for result in results] == list(NAMES)
    assert [result.problem for result in results if result.failed] == []
    for result in results:
        targets = {figure.target for figure in result.figures if figure.target is not None}
        assert result.not_run or targets == set(bench_named(result.bench).targets), result.bench
