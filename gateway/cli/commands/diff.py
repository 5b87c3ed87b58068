"""The command `diff`. The JSON that `--json` prints is a public interface."""

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from uplift.domain.bpmn import ProcessModel, read_model
from uplift.domain.compatibility import (
    Comparison,
    Finding,
    Severity,
    breaking_positions,
    compare,
    findings_on,
    migrate_position,
)
from uplift.domain.errors import InvalidModel, UpliftError
from uplift.gateway.cli.output import ExitCode, report, report_json
from uplift.gateway.cli.runner import fail
from uplift.gateway.files.mapping_files import read_pairs
from uplift.gateway.files.regular_files import open_regular

Pairs = Sequence[tuple[str, str]]
"""The pairs of a mapping file, source to target, in their order."""


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The BPMN 2.0 document of the old version.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The BPMN 2.0 document of the new version.")],
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='The whole mapping, as JSON {"<source>": "<target>"}.'),
    ] = None,
    process: Annotated[
        str | None, typer.Option(metavar="ID", help="The id of the process, if the documents have several.")
    ] = None,
    old_process: Annotated[
        str | None, typer.Option(metavar="ID", help="The id of the process in OLD, if it differs.")
    ] = None,
    new_process: Annotated[
        str | None, typer.Option(metavar="ID", help="The id of the process in NEW, if it differs.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print mapping and findings as JSON.")] = False,
) -> None:
    """Compare two versions of a process: show the mapping, and the positions that cannot be upgraded.

    Exit code 0: every position can be upgraded. 1: a position cannot, or a pair of the mapping is invalid.
    2: an input cannot be read.
    """
    gc.disable()  # what a comparison makes lives until its end, and then the program ends
    try:
        source = _model(old, old_process or process, "old")
        target = _model(new, new_process or process, "new")
        pairs = None if mapping is None else read_pairs(mapping)
        comparison = compare(source, target, instructions=pairs or (), generate=pairs is None)
    except UpliftError as error:
        fail(error.message, code=ExitCode.WRONG_USAGE)
    except OSError as error:
        fail(f"Expected to read {error.filename}, but: {error.strerror}.", code=ExitCode.WRONG_USAGE)
    if as_json:
        report_json(comparison_json(comparison, pairs))
    else:
        _print(comparison, pairs)
    if comparison.errors or breaking_positions(comparison):
        raise typer.Exit(ExitCode.FAILED)


def _model(file: Path, process_id: str | None, side: str) -> ProcessModel:
    try:
        with open_regular(file) as document:
            content = document.read()
        return read_model(content, process_id=process_id)
    except InvalidModel as error:
        choice = f" The option --{side}-process names it." if error.field == ("process_id",) else ""
        place = f", {error.place}" if error.place else ""
        fail(f"{error.message}{choice} ({file}{place})", code=ExitCode.WRONG_USAGE)


def comparison_json(comparison: Comparison, pairs: Pairs | None = None) -> dict[str, Any]:
    """The mapping, sorted by source id, and the findings in reading order.

    With the pairs of a mapping file, also each of them, in their order, with the findings on its source.
    """
    form: dict[str, Any] = {
        "mapping": comparison.mapping,
        "findings": list(map(_finding_json, comparison.findings)),
    }
    if pairs is not None:
        form["instructions"] = [
            {
                "source": source,
                "target": target,
                "findings": list(map(_finding_json, findings_on(source, comparison.findings))),
            }
            for source, target in pairs
        ]
    return form


def _finding_json(finding: Finding) -> dict[str, str | None]:
    return {
        "severity": finding.severity.value,
        "code": finding.code.value,
        "source": finding.source,
        "target": finding.target,
        "message": finding.message,
    }


def _print(comparison: Comparison, instructions: Pairs | None) -> None:
    for title, elements in (("added", comparison.added), ("removed", comparison.removed)):
        if elements:
            report(f"{title}: {', '.join(elements)}")
    pairs = Table("source", "target", title="Mapping", title_justify="left")
    for source, target in comparison.mapping.items():
        pairs.add_row(Text(source), Text(target if target != source else "same"))
    report(pairs)
    if instructions is not None:
        report(_checked_table(comparison, instructions))
    if comparison.findings:
        findings = Table("", "code", "message", title="Findings", title_justify="left")
        for finding in comparison.findings:
            style = "red" if finding.severity is Severity.ERROR else "yellow"
            findings.add_row(finding.severity, finding.code, Text(finding.message), style=style)
        report(findings)
    breaking = breaking_positions(comparison)
    if not breaking:
        report("Instances can be upgraded at every position.")
    for element in breaking:
        why = " ".join(found.message for found in migrate_position(comparison, frozenset({element})).errors)
        report(f"Instances that wait at {element} cannot be upgraded. {why}")


def _checked_table(comparison: Comparison, instructions: Pairs) -> Table:
    """Each pair of the mapping file, with the findings on its source."""
    checked = Table("source", "target", "findings", title="Instructions", title_justify="left")
    for source, target in instructions:
        findings = findings_on(source, comparison.findings)
        codes = ", ".join(dict.fromkeys(finding.code for finding in findings))
        style = "red" if any(finding.severity is Severity.ERROR for finding in findings) else "yellow"
        checked.add_row(Text(source), Text(target), codes or "none", style=style if findings else None)
    return checked
