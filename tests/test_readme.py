"""The README and the reference pages: the program runs, and every dependency and command is listed."""

import contextlib
import io
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import typer

from tests.support.project import DOCS, ROOT
from uplift.gateway.cli import app
from uplift.gateway.cli.output import ExitCode

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_program_runs_as_it_stands_and_prints_what_it_says() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(program, "README.md", "exec"), {"__name__": "readme"})
    assert f"It prints `{printed.getvalue().strip()}`." in README


def test_its_program_takes_about_ten_lines() -> None:
    (body,) = re.findall(r"async def main.*?\n(.*?)\n\n\nasyncio", README, re.DOTALL)
    assert len(body.splitlines()) <= 10


def test_its_program_passes_strict_type_checks(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    file = tmp_path / "readme_program.py"
    file.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(file)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_it_has_at_most_120_lines() -> None:
    assert len(README.splitlines()) <= 120


def test_the_page_of_dependencies_lists_each_with_its_lower_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {re.sub(r"\[.*?\]|,.*", "", requirement) for requirement in project["dependencies"]}
    page = (DOCS / "reference" / "dependencies.md").read_text(encoding="utf-8")
    assert {f"{name}>={bound}" for name, bound in re.findall(r"([\w-]+) >= ([\d.]+)", page)} == required


def commands(group: typer.Typer) -> Iterator[str]:
    """The words behind `uplift` of every command: `serve`, `keys create`."""
    for command in group.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "").replace("_", "-")
        yield name
    for nested in group.registered_groups:
        assert nested.typer_instance is not None
        yield from (f"{nested.name} {name}" for name in commands(nested.typer_instance))


def test_the_page_of_commands_lists_every_command() -> None:
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    listed = set()
    for cell in re.findall(r"^\| (`uplift .*?) \| ", page, re.MULTILINE):
        first, *others = re.findall(r"`([^`]+)`", cell)
        group = first.split()[1]
        listed |= {" ".join(word for word in first.split()[1:] if word.islower() and word[0].isalpha())}
        listed |= {f"{group} {other.split()[0]}" for other in others}
    assert set(commands(app)) == listed


def test_the_page_of_commands_lists_every_exit_code() -> None:
    page = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\d+) \| ", page, re.MULTILINE) == [str(int(code)) for code in ExitCode]
