"""Tools of other projects that do not fit into our environment: installed once, in folders of their own."""

import fcntl
import os
import shutil
import subprocess
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.support.project import ROOT

TOOLS = ROOT / "tests" / "tools"
JAVASCRIPT = TOOLS / "javascript"
PYTHON = TOOLS / "python"
OLDEST_NODE = 20
PATIENCE = 300
"""Seconds that an installation may take."""


def javascript_tools() -> Path:
    """The folder with what its package.json names, ready for node. Skips the test when it cannot be had."""
    _skip_unless(_why_no_javascript_tools())
    return JAVASCRIPT


def python_tools() -> Path:
    """The folder of the programs of an environment with what requirements.txt names.

    It is another one than ours because ariadne-codegen wants an older graphql-core than strawberry does.
    Skips the test when it cannot be had.
    """
    _skip_unless(_why_no_python_tools())
    return PYTHON / ".venv" / "bin"


def _skip_unless(why_not: str) -> None:
    if why_not:
        pytest.skip(why_not)


@contextmanager
def _alone() -> Iterator[None]:
    """Nobody else installs anything meanwhile: tests run in several processes."""
    folder = os.open(TOOLS, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@cache
@_alone()
def _why_no_javascript_tools() -> str:
    if not shutil.which("npm"):
        return "npm is not installed, and JavaScript clients and tools come from it"
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        return (
            f"JavaScript clients and tools need Node.js {OLDEST_NODE} or newer, but this is {version.strip()}"
        )
    install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--prefer-offline"]
    install += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=1000"]
    return _install(install, JAVASCRIPT / "package.json", into=JAVASCRIPT / "node_modules")


@cache
@_alone()
def _why_no_python_tools() -> str:
    place = PYTHON / ".venv"
    if not place.exists():
        venv.create(place, with_pip=True, symlinks=True)
    python = str(place / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt"]
    return _install(install, PYTHON / "requirements.txt", into=place)


def _install(command: Sequence[str | Path], wanted: Path, *, into: Path) -> str:
    """Run the command unless it was run for the same wanted packages before; returns why it failed."""
    installed = into / "installed.txt"
    if installed.exists() and installed.read_bytes() == wanted.read_bytes():
        return ""
    done = subprocess.run(command, cwd=wanted.parent, capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).partition("\n")[0]
        return f"what {wanted.relative_to(TOOLS)} names cannot be installed; is there a network? {said}"
    shutil.copyfile(wanted, installed)
    return ""
