"""The load model: its page, its command and the calculator of the web site compute the same."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, fields

import pytest

from bench.load_model import FIGURES, Estimate, Load, estimate
from tests.support.project import DOCS, ROOT

PAGE = (DOCS / "explanation" / "load-model.md").read_text(encoding="utf-8")
CALCULATOR = DOCS / ".site" / "load_model.js"
LOADS = (
    Load(),
    Load(instances=0, registrations=0, upgrades=0),
    Load(instances=49_999_999, registrations=100_000, days=0.00001, audit=1),
    Load(instances=3e8, registrations=1_234.5, upgrades=0.25, each=5e7, elements=20_000, kib=4_000),
)
ASKED = """
const model = require(process.argv[1]);
const loads = JSON.parse(process.argv[2]);
const inputs = Object.fromEntries(Object.entries(model.INPUTS).map(([name, [value]]) => [name, value]));
const outputs = Object.keys(model.OUTPUTS);
const estimates = loads.map(model.estimate);
console.log(JSON.stringify({ figures: model.FIGURES, inputs, outputs, estimates }));
"""


def test_the_command_prints_what_the_page_shows() -> None:
    (command,) = re.findall(r"^```sh\npython (.*)\n```$", PAGE, re.MULTILINE)
    (shown,) = re.findall(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, *command.split()], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == shown


def test_the_page_has_every_figure() -> None:
    listed = re.findall(r"^\| `(\w+)` \| ([\d.,]+) \|", PAGE, re.MULTILINE)
    assert {name: float(value.replace(",", "")) for name, value in listed} == FIGURES


@pytest.mark.skipif(shutil.which("node") is None, reason="the calculator needs node, which is not installed")
def test_the_calculator_does_the_same_arithmetic() -> None:
    loads = json.dumps([asdict(load) for load in LOADS])
    done = subprocess.run(
        ["node", "-e", ASKED, str(CALCULATOR), loads], capture_output=True, text=True, check=True
    )
    answers = json.loads(done.stdout)
    assert answers["figures"] == FIGURES
    assert answers["inputs"] == asdict(Load())
    assert answers["outputs"] == [field.name for field in fields(Estimate)]
    for load, found in zip(LOADS, answers["estimates"], strict=True):
        assert found == pytest.approx(asdict(estimate(load)))


@pytest.mark.parametrize(
    ("load", "field", "expected"),
    [
        (Load(instances=20_000_000, registrations=0, upgrades=1, each=20_000_000), "upgrade_seconds", 86.2),
        (
            Load(instances=10_000_000, registrations=0, upgrades=1, each=1e7, audit=1, versions=0),
            "postgres_gb",
            3.28,
        ),
        (Load(registrations=60_000), "gateways", 3),
        (Load(instances=50_000_001, registrations=0), "databases", 2),
    ],
)
def test_an_estimate_agrees_with_what_was_measured(load: Load, field: str, expected: float) -> None:
    assert getattr(estimate(load), field) == pytest.approx(expected)
