r"""Times registrations, reports, imports and upgrades beside another work tree, and without kept counts.

Each contender is a program with a database of its own (bench.writes_child): this tree, and this tree with the
kept counts of cohorts switched off, or another tree. They take turns, one short piece of work each, so that
other programs on the machine disturb both alike. CPU time counts, that of PostgreSQL's processes as well.
Run: python -m bench.writes_beside [rounds] [known instances], or beside another tree:
git worktree add ../before <commit>; python -m bench.writes_beside --beside ../before
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.figures.alone import run_alone
from bench.figures.figure import Bench, Figure, Scale, Target, at_most, compared
from bench.figures.needs import postgresql
from bench.figures.table import lines_of_figures
from tests.support.postgres import a_server

CHILD = Path(__file__).resolve().with_name("writes_child.py")
HERE = CHILD.parents[1]
WORK = (
    "register 1",
    "register 1,000",
    "register 20,000",
    "report 1",
    "report 100 of 100 cohorts",
    "report 1,000 of 10 cohorts",
    "import 20,000",
    "upgrade 1",
    "upgrade 20,000",
)
SHORT = frozenset({"register 1", "register 1,000", "report 1", "report 100 of 100 cohorts"})
SHORT_ROUNDS = 5
"""A round of these takes so little time that a checkpoint in it decides the ratio: they get more rounds."""


def measure(rounds: int, known: int) -> list[Figure]:
    """This tree with its kept counts, beside the same without."""
    return list(beside("no kept counts", HERE, ["--off"], (rounds, known), TARGET))


def beside(
    name: str, tree: Path, options: list[str], sizes: tuple[int, ...], target: Target | None
) -> Iterator[Figure]:
    """This tree beside another, on both databases."""
    rounds, known = sizes
    contenders: dict[str, tuple[Path, list[str]]] = {"ours": (HERE, []), "peer": (tree, options)}
    for kind in ("SQLite", "PostgreSQL"):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(a_server()) if kind == "PostgreSQL" else None
            children = {}
            for contender, (source, more) in contenders.items():
                database = _database(server, contender) if server else str(folder / f"{contender}.sqlite")
                child = subprocess.Popen(
                    [sys.executable, str(CHILD), database, str(known), *more],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={**os.environ, "PYTHONPATH": str(source / "src"), "PYTHONSAFEPATH": "1"},
                )
                stack.callback(child.wait)
                stack.callback(child.stdin.close)  # type: ignore[union-attr]
                children[contender] = child
            for work in WORK:
                turns = rounds * SHORT_ROUNDS if work in SHORT else rounds
                spent = _in_turns(work, children, server, turns)
                cpu = {
                    contender: [1_000 * seconds for _, seconds in taken] for contender, taken in spent.items()
                }
                yield compared(
                    f"{kind}: {work}", cpu["ours"], cpu["peer"], unit="ms", beside=name, target=target
                )


def _in_turns(
    work: str, children: dict[str, Any], server: Any, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Seconds of wall-clock and CPU time of each contender, in each round."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in children}
    for turn in range(rounds + 1):
        for name in list(children) if turn % 2 else list(reversed(children)):
            before = _on_processors(server, name)
            children[name].stdin.write(work + "\n")
            children[name].stdin.flush()
            wall, cpu = json.loads(children[name].stdout.readline())
            cpu += _on_processors(server, name) - before
            if turn:  # the first turn warms up
                spent[name].append((wall, cpu))
    return spent


def _database(server: Any, name: str) -> str:
    asyncio.run(server.execute(f'CREATE DATABASE "{name}"'))
    url: str = server.url(name).render_as_string()
    return url


def _on_processors(server: Any, name: str) -> float:
    """The CPU time of the server's processes that serve a contender."""
    if server is None:
        return 0.0
    found = 0.0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f": uplift {name} ".encode() in (process / "cmdline").read_bytes():
                found += int((process / "schedstat").read_text().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
    return found


TARGET = at_most("CPU time with kept counts", 1.1)
BENCH = Bench(
    compares=(
        "CPU time of registrations, reports, imports and upgrades in 500 cohorts, beside the same without "
        "kept counts, on both databases"
    ),
    sizes={"rounds": (9, 1), "known": (100_000, 20_000)},
    targets=(TARGET,),
    measure=measure,
    needs=(postgresql,),
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--beside"]:
        other = Path(sys.argv[2]).resolve()
        print("\n".join(lines_of_figures(beside(other.name, other, [], BENCH.sizes_of(Scale.FULL), None))))
    else:
        run_alone(BENCH)
