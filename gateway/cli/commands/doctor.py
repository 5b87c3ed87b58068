"""The command `doctor`."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from uplift.gateway.cli.options import SETTINGS, with_settings
from uplift.gateway.cli.output import ExitCode, report_json, show
from uplift.gateway.cli.runner import run
from uplift.gateway.doctor.result import Health, Result
from uplift.gateway.importing import uncollected
from uplift.gateway.settings import Settings

STYLES = {Health.OK: "green", Health.NOTE: "cyan", Health.WARNING: "yellow", Health.ERROR: "red"}


@with_settings(*SETTINGS)
def doctor(
    settings: Settings,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list of all results.")] = False,
) -> None:
    """Say what is wrong with this installation, and what to do. Exits with code 1 if something does not work.

    Run it with the settings of the server. It changes nothing.
    """
    with uncollected():
        from uplift.gateway.doctor.examination import examine  # not by other commands: see `serve`

    results = run(examine(settings))
    if as_json:
        report_json([asdict(result) for result in results])
    else:
        show(_table(results))
    if any(result.health is Health.ERROR for result in results):
        raise typer.Exit(ExitCode.FAILED)


def _table(results: list[Result]) -> Table:
    table = Table("health", "part", "found, and what to do", box=None, pad_edge=False)
    for result in results:
        lines = Text(result.found)
        if result.advice is not None:
            lines.append(f"\n→ {result.advice}", style="bold")
        table.add_row(Text(result.health, style=STYLES[result.health]), result.part, lines)
    return table
