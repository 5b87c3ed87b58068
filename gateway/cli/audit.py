"""How is the audit taken out, or made smaller, from a terminal?"""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from uplift.domain.clock import utc_now
from uplift.domain.use_cases.prune import prune_outcomes
from uplift.gateway.cli.operations import process_key
from uplift.gateway.cli.options import DatabaseUrl
from uplift.gateway.cli.runner import opened_store, run, settings_with
from uplift.gateway.files.audit_export import AuditFormat, export_audit


def export(
    form: Annotated[AuditFormat, typer.Option("--format", help="JSON Lines or CSV.")] = AuditFormat.JSONL,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write; standard output unless given.")
    ] = None,
    process: Annotated[
        str | None, typer.Option(metavar="NAMESPACE/CODE", help="Of this process only.")
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Write what upgrades did to each instance, the newest upgrade first."""

    async def work() -> None:
        key = None if process is None else process_key(process)
        async with opened_store(settings_with(database_url=database_url), must_exist=True) as store:
            if output is None:
                await export_audit(store, sys.stdout, form, key)
                return
            with output.open("w", encoding="utf-8", newline="") as out:
                written = await export_audit(store, out, form, key)
        typer.echo(f"Wrote {written:,} records to {output}.")

    run(work())


def prune(
    days: Annotated[
        int, typer.Option("--older-than", min=0, metavar="DAYS", help="Of upgrades that ended so long ago.")
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Forget the outcomes of old upgrades. Their counts stay; they can no longer be retried or undone."""

    async def work() -> int:
        async with opened_store(settings_with(database_url=database_url), must_exist=True) as store:
            return await prune_outcomes(store, before=utc_now() - timedelta(days=days))

    typer.echo(f"Forgot {run(work()):,} outcomes.")
