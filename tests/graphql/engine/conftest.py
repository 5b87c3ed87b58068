"""The tools of other GraphQL projects, for the tests that let them try the endpoint."""

import shutil
import subprocess
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent / "audit"


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder of the tools, which come from npm and are installed on the first run."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed, and the tools of other GraphQL projects come from it")
    if not (TOOLS / "node_modules").exists():
        command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--omit=optional"]
        subprocess.run(command, cwd=TOOLS, check=True, capture_output=True, timeout=300)
    return TOOLS
