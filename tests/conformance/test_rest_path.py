"""The REST path does what its OpenAPI document says, for all requests that schemathesis generates."""

import json
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

from tests.conformance.real_gateway import Gateway

HERE = Path(__file__).parent
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

EVERY_PHASE = ["examples", "coverage", "fuzzing", "stateful"]
EXAMPLES = {"short": 20, "long": 400}
"""The largest number of examples for an operation and phase."""
FEWEST = {"short": 200, "long": 10_000}
"""Number of runs; in the long mode each has another seed."""


def report_of(gateway: Gateway, folder: Path, *, examples: int, seed: int) -> dict[str, Any]:
    """The findings of all checks of schemathesis in all phases, with the stateful one along links."""
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
            f"--seed={seed}",
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
    mode = "long" if is_long else "short"
    tried = 0
    for seed in count(1):
        report = report_of(gateway, tmp_path, examples=EXAMPLES[mode], seed=seed)
        assert report["failures"] == []
        assert {phase["status"] for phase in report["phases"].values()} == {"success"}
        assert report["test_cases"]["errored"] == 0
        tried += report["test_cases"]["generated"]
        if tried >= FEWEST[mode]:
            break
