"""How are two versions of a process compared from a terminal, or in a pipeline?"""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from uplift.domain.bpmn import read_model
from uplift.domain.compatibility import Comparison, Severity, breaking_positions, compare, migrate_position
from uplift.domain.errors import UpliftError
from uplift.gateway.cli.diff_json import comparison_json
from uplift.gateway.cli.runner import fail
from uplift.gateway.cli.tables import console
from uplift.gateway.files.mapping_files import read_pairs

UNREADABLE = 2
"""The exit code when an input cannot be read, as for wrong options."""
Document = Annotated[Path, typer.Argument(metavar="FILE", help="A BPMN 2.0 document.")]


def diff(
    old: Document,
    new: Document,
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help='The whole mapping, as JSON {"<source>": "<target>"}.'),
    ] = None,
    process: Annotated[
        str | None, typer.Option(metavar="ID", help="The id of the process, where a document has several.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print mapping and findings as JSON.")] = False,
) -> None:
    """Compare two versions: where do instances go, and which positions break?

    Exit code 0: none breaks. 1: some position breaks, or a given pair is invalid. 2: an input cannot be read.
    """
    try:
        comparison = _comparison(old, new, mapping, process)
    except UpliftError as error:
        fail(error.message, code=UNREADABLE)
    except OSError as error:
        fail(f"Expected to read {error.filename}, but: {error.strerror}.", code=UNREADABLE)
    if as_json:
        typer.echo(json.dumps(comparison_json(comparison), indent=2, ensure_ascii=False))
    else:
        _show(comparison)
    if comparison.errors or breaking_positions(comparison):
        raise typer.Exit(1)


def _comparison(old: Path, new: Path, mapping: Path | None, process: str | None) -> Comparison:
    source, target = (read_model(file.read_bytes(), process_id=process) for file in (old, new))
    if mapping is None:
        return compare(source, target)
    return compare(source, target, instructions=read_pairs(mapping), generate=False)


def _show(comparison: Comparison) -> None:
    out = console()
    for title, elements in (("added", comparison.added), ("removed", comparison.removed)):
        if elements:
            out.print(f"{title}: {', '.join(elements)}")
    pairs = Table("source", "target", title="Mapping", title_justify="left")
    for before, after in comparison.mapping.items():
        pairs.add_row(Text(before), Text(after if after != before else "same"))
    out.print(pairs)
    if comparison.findings:
        findings = Table("", "code", "message", title="Findings", title_justify="left")
        for finding in comparison.findings:
            style = "red" if finding.severity is Severity.ERROR else "yellow"
            findings.add_row(finding.severity, finding.code, Text(finding.message), style=style)
        out.print(findings)
    breaking = breaking_positions(comparison)
    if not breaking:
        out.print("Instances can be upgraded wherever they wait.")
    for element in breaking:
        why = " ".join(found.message for found in migrate_position(comparison, frozenset({element})).errors)
        out.print(f"Instances that wait at {element} cannot be upgraded. {why}")
