"""The commands `export-audit` and `prune-audit`."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from uplift.domain.use_cases.prune import prune_outcomes
from uplift.gateway.cli.options import DatabaseUrl, parse_process
from uplift.gateway.cli.output import data_output, report
from uplift.gateway.cli.runner import local_caller, opened_store, run, settings_with
from uplift.gateway.files.audit_export import AuditFormat, export_audit
from uplift.gateway.files.replaced_file import replaced_file


def export(
    file_format: Annotated[
        AuditFormat, typer.Option("--format", help="JSON Lines or CSV.")
    ] = AuditFormat.JSONL,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write; standard output by default.")
    ] = None,
    process: Annotated[
        str | None, typer.Option(metavar="NAMESPACE/CODE", help="Export upgrades of this process only.")
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Export the outcome of each instance in each upgrade, newest upgrade first.

    A file appears under its name when it is whole: until then it is NAME.*.part.
    """

    async def write() -> None:
        process_key = None if process is None else parse_process(process)
        async with opened_store(settings_with(database_url=database_url), must_exist=True) as store:
            if output is None:
                with data_output() as data:
                    await export_audit(store, data, file_format, process_key)
                return
            with replaced_file(output) as out:
                written = await export_audit(store, out, file_format, process_key)
        report(f"Wrote {written:,} records to {output}.")

    run(write())


def prune(
    days: Annotated[
        int,
        typer.Option(
            "--older-than",
            min=0,
            max=36_500,
            metavar="DAYS",
            help="Prune upgrades that ended at least this long ago.",
        ),
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Delete the outcomes of old upgrades. Counts stay, but retry and undo are no longer possible."""

    async def delete() -> int:
        async with opened_store(settings_with(database_url=database_url), must_exist=True) as store:
            now = await store.database.now()
            return await prune_outcomes(
                store, before=now - timedelta(days=days), by=local_caller().name, clock=lambda: now
            )

    report(f"Deleted {run(delete()):,} outcomes.")
