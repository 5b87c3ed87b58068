"""Defines the JSON that `uplift diff --json` prints; its shape is a public interface."""

from typing import Any

from uplift.domain.compatibility import Comparison, Finding


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The mapping, sorted by source id, and the findings of a comparison in reading order."""
    return {
        "mapping": comparison.mapping,
        "findings": [_finding_json(finding) for finding in comparison.findings],
    }


def _finding_json(finding: Finding) -> dict[str, str | None]:
    return {
        "severity": finding.severity.value,
        "code": finding.code.value,
        "source": finding.source,
        "target": finding.target,
        "message": finding.message,
    }
