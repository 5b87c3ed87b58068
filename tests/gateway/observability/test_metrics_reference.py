"""docs/reference/metrics.md lists the metrics as they are."""

from collections.abc import Mapping

import pytest

from tests.support.project import DOCS
from uplift.domain.ports.process_engine import ProcessEngine
from uplift.gateway.observability.metrics import MetricDescription, Metrics
from uplift.gateway.observability.metrics_reference import LABELS, render_reference

PAGE = (DOCS / "reference" / "metrics.md").read_text(encoding="utf-8")
DESCRIPTIONS: Mapping[str, MetricDescription] = {metric.name: metric for metric in Metrics().descriptions}


def test_the_page_is_what_is_rendered() -> None:
    assert render_reference() == PAGE, (
        "Run python -m uplift.gateway.observability.metrics_reference > docs/reference/metrics.md"
    )


def test_every_metric_of_the_registry_is_described() -> None:
    exported = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in Metrics().registry.collect()
        if family.name.startswith("uplift_")
    }
    assert {name.removesuffix("_info") for name in DESCRIPTIONS} == {
        name.removesuffix("_info") for name in exported
    }


def test_every_label_is_described_and_no_other() -> None:
    assert LABELS.keys() == {
        f"{metric.name} {label}"
        for metric in DESCRIPTIONS.values()
        for label in metric.labels
        if label != "link"
    }


def test_every_question_to_an_engine_is_listed() -> None:
    questions = {name for name in vars(ProcessEngine) if not name.startswith("_")} - {"traits", "close"}
    listed = LABELS["uplift_engine_requests_total question"]
    assert {name for name in questions if f"`{name}`" not in listed} == set()


@pytest.mark.parametrize(
    "row",
    [
        "| `uplift_open_streams` | gauge | `kind` | Open WebSockets and event streams. |",
        "| `uplift_outcomes_total` | `kind` | `UPGRADED`, `SKIPPED`, `ORDERED` |",
    ],
)
def test_a_row_shows_what_the_code_says(row: str) -> None:
    assert row in PAGE
