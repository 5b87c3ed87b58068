"""The REST path does what its OpenAPI document says, whatever schemathesis comes up with."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conformance.real_gateway import Gateway

HERE = Path(__file__).parent
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

EVERY_PHASE = ["examples", "coverage", "fuzzing", "stateful"]
SHORT, LONG = 30, 1_500
"""How many examples a phase makes for an operation; schemathesis adds its own to them."""
FEWEST = {SHORT: 200, LONG: 10_000}
"""Tries in all, by examples."""


def report_of(gateway: Gateway, folder: Path, *, examples: int) -> dict[str, Any]:
    """What all checks of schemathesis found in all phases, the stateful one along the links included."""
    report = folder / "report.json"
    done = subprocess.run(
        [
            SCHEMATHESIS,
            f"--config-file={HERE / 'schemathesis.toml'}",
            "run",
            f"{gateway.url}/openapi.json",
            f"--header=Authorization: Bearer {gateway.admin_key}",
            "--checks=all",
            f"--phases={','.join(EVERY_PHASE)}",
            f"--max-examples={examples}",
            "--seed=1",
            "--generation-database=none",
            "--continue-on-failure",
            "--no-color",
            "--report=json",
            f"--report-json-path={report}",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def test_every_reply_is_a_documented_one(gateway: Gateway, tmp_path: Path, is_long: bool) -> None:
    examples = LONG if is_long else SHORT
    report = report_of(gateway, tmp_path, examples=examples)
    assert report["failures"] == []
    assert {name: phase["status"] for name, phase in report["phases"].items()} == dict.fromkeys(
        EVERY_PHASE, "success"
    )
    assert report["test_cases"]["generated"] >= FEWEST[examples]
    assert report["test_cases"]["errored"] == 0
