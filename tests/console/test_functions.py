"""The pure functions of the console, tested by Node's own runner."""

import subprocess

from tests.support.other_tools import javascript_tools
from tests.support.project import ROOT


def test_functions_of_the_console() -> None:
    packages = javascript_tools() / "node_modules"
    run = ["node", str(ROOT / "console" / "tests" / "run.mjs"), str(packages)]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# fail 0" in done.stdout
    assert "# pass 0" not in done.stdout
