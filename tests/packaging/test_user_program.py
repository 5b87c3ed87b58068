"""A program whose own packages are called domain, storage and gateway works with the installed wheel."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.packaging.distributions import run
from tests.support.project import ROOT


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The folder of the program."""
    return Path(shutil.copytree(ROOT / "tests/packaging/user_program", tmp_path / "program"))


def test_it_runs(environment: Path, program: Path) -> None:
    assert run(environment / "bin/python", "main.py", folder=program).splitlines() == [
        "upgraded 2 of 2",
        "The program's own domain. The program's own storage. The program's own gateway.",
    ]


def test_it_passes_mypy_strict(environment: Path, program: Path) -> None:
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", "cache"]
    said = run(*mypy, "--python-executable", environment / "bin/python", ".", folder=program)
    assert said == "Success: no issues found in 7 source files\n"
