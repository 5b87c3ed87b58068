"""Installs tools that cannot share our virtual environment, once, in folders of their own."""

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
INSTALL_TIMEOUT = 300
"""Seconds."""


def javascript_tools() -> Path:
    """The folder whose package.json is installed. Skips the test if it cannot be installed."""
    _skip_if(_javascript_unavailable_reason())
    return JAVASCRIPT


def python_tools() -> Path:
    """The `bin` folder of a virtual environment with the packages of requirements.txt.

    ariadne-codegen needs an older graphql-core than strawberry does, so it cannot share our environment.
    Skips the test if the packages cannot be installed.
    """
    _skip_if(_python_unavailable_reason())
    return PYTHON / ".venv" / "bin"


def _skip_if(unavailable_reason: str) -> None:
    if unavailable_reason:
        pytest.skip(unavailable_reason)


@contextmanager
def _install_lock() -> Iterator[None]:
    """Let one test process at a time install."""
    folder = os.open(TOOLS, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


@cache
@_install_lock()
def _javascript_unavailable_reason() -> str:
    if not shutil.which("npm"):
        return "JavaScript clients and tools need npm, which is not installed"
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        return (
            f"JavaScript clients and tools need Node.js {OLDEST_NODE} or newer, but this is {version.strip()}"
        )
    install = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--prefer-offline"]
    install += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=1000"]
    return _install(install, JAVASCRIPT / "package.json", into=JAVASCRIPT / "node_modules")


@cache
@_install_lock()
def _python_unavailable_reason() -> str:
    place = PYTHON / ".venv"
    if not place.exists():
        venv.create(place, with_pip=True, symlinks=True)
    python = str(place / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt"]
    return _install(install, PYTHON / "requirements.txt", into=place)


def _install(command: Sequence[str], requirements: Path, *, into: Path) -> str:
    """Run the command unless it has already installed these requirements. Returns why it failed, or ""."""
    installed = into / "installed.txt"
    if installed.exists() and installed.read_bytes() == requirements.read_bytes():
        return ""
    done = subprocess.run(
        command, cwd=requirements.parent, capture_output=True, text=True, timeout=INSTALL_TIMEOUT
    )
    if done.returncode:
        error = (done.stderr.strip() or done.stdout.strip()).partition("\n")[0]
        return f"{requirements.relative_to(TOOLS)} cannot be installed; is there a network? {error}"
    shutil.copyfile(requirements, installed)
    return ""
