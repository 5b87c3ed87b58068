"""Alert rules fire when they should and only then, on metrics that a gateway exports."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.gateway.gateway_world import started
from tests.gateway.observability.test_metrics import OF_LINKS
from tests.support.project import DOCS, ROOT

RULES = DOCS / "alerts.yaml"
TESTS = Path(__file__).with_name("alerts_test.yaml")
ALERTS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
NAMES = [alert["alert"] for alert in ALERTS]
TRIED: list[dict[str, Any]] = yaml.safe_load(TESTS.read_text())["tests"]
STATUS = "/pub/v1/bpm/upgrades/{upgradeId}"

Series = tuple[str, frozenset[tuple[str, str]]]
"""A metric's name and its labels."""


@pytest.fixture
def exported(folder: Path, database: Path) -> Iterator[str]:
    """The metrics of a gateway that has answered at each route that an alert names."""
    with started("serve", "--port", "0", "--metrics-port", "0", folder=folder) as program:
        metrics = program.wait_for(r"Metrics are at (http://\S+/metrics)")
        assert httpx2.get(program.url() + STATUS.format(upgradeId="none")).status_code == 401
        assert httpx2.post(f"{program.url()}/graphql", json={"query": "{ __typename }"}).status_code == 401
        yield httpx2.get(metrics).text
        assert program.stop() == 0


def promtool(*arguments: str, stdin: str = "") -> str:
    """The output of promtool, which must succeed. Skips the test where it is not installed."""
    if not shutil.which("promtool"):
        pytest.skip("promtool, which tries the alert rules, is not installed: apt-get install prometheus")
    done = subprocess.run(["promtool", *arguments], input=stdin, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_prometheus_loads_the_rules() -> None:
    assert f"SUCCESS: {len(ALERTS)} rules found" in promtool("check", "rules", "--lint=all", str(RULES))


def test_each_alert_fires_and_keeps_still_when_it_should() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(TESTS))


@pytest.mark.parametrize("alert", NAMES)
def test_an_alert_is_tried_both_firing_and_keeping_still(alert: str) -> None:
    expected = [
        rule_test["exp_alerts"]
        for test in TRIED
        for rule_test in test["alert_rule_test"]
        if rule_test["alertname"] == alert
    ]
    assert {bool(alerts) for alerts in expected} == {True, False}


def test_alerts_are_tried_on_what_a_gateway_exports(exported: str) -> None:
    known: set[Series] = {
        (sample.name, frozenset(sample.labels.items()))
        for family in text_string_to_metric_families(exported)
        for sample in family.samples
    }
    used = {series_of(series["series"]) for test in TRIED for series in test["input_series"]}
    # This gateway has no link; test_link_metrics.py tries their metrics.
    assert {series for series in used if series[0] not in OF_LINKS} <= known


def series_of(written: str) -> Series:
    """A series as a test of promtool writes it, without the label that Prometheus adds."""
    name, labels = written.removesuffix("}").split("{", 1)
    pairs = re.findall(r'(\w+)="([^"]*)"', labels)
    return name, frozenset(pair for pair in pairs if pair[0] != "instance")


def test_promtool_accepts_the_metrics_of_a_gateway(exported: str) -> None:
    assert promtool("check", "metrics", stdin=exported) == ""


def test_every_alert_is_documented() -> None:
    table = (DOCS / "how-to" / "operate.md").read_text()
    assert re.findall(r"^\| `(Uplift\w+)`", table, re.MULTILINE) == NAMES
