"""`./demo --engine operaton` runs the demo's instances in an Operaton, and ends by printing the plan."""

import subprocess
import sys
from pathlib import Path

from tests.support.long_mode import long_only
from tests.support.project import ROOT


@long_only
def test_the_demo_with_an_engine_prints_the_plan(tmp_path: Path) -> None:
    demo = ROOT / "examples" / "operaton" / "demo.py"
    options = ["--engine", "operaton", "--instances", "100", "--once", "--port", "0"]
    done = subprocess.run(
        [sys.executable, demo, *options], cwd=tmp_path, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert "Plan for lending/consumer-loan: upgrade to version 6" in done.stdout
    assert "of 100 would be upgraded" in done.stdout
