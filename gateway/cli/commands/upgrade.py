"""The command `upgrade`."""

from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from uplift.domain.model.instance import Status
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import SelectionFields, matching, selection_from
from uplift.gateway.cli.options import ApiKey, DatabaseUrl, GatewayUrl, parse_id, parse_process
from uplift.gateway.cli.output import show
from uplift.gateway.cli.progress import follow_upgrade, report_upgrade
from uplift.gateway.cli.runner import operations_client, run
from uplift.gateway.cli.tables import plan_table
from uplift.gateway.files.id_files import read_ids
from uplift.gateway.files.mapping_files import read_version_mappings
from uplift.gateway.operations.summaries import PlanSummary, UpgradeSummary

FIELDS = SelectionFields(
    ids="--id or --ids-from",
    all_active="--all-active, --from-version, --at, --status or --limit",
    excluded="--except or --except-from",
    versions="--from-version",
    elements="--at",
    statuses="--status",
    limit="--limit",
)
MAX_ROWS = 1_000
"""Cohorts of a plan that are shown in rows of their own."""


def upgrade(
    process: Annotated[str, typer.Argument(metavar="NAMESPACE/CODE", help="The process.")],
    ids: Annotated[
        list[UUID] | None,
        typer.Option(
            "--id", parser=parse_id, metavar="UUID", help="An instance to upgrade; can be repeated."
        ),
    ] = None,
    ids_from: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file of ids, one per line; - is standard input.")
    ] = None,
    every_active: Annotated[
        bool, typer.Option("--all-active", help="Select all instances that have not ended.")
    ] = False,
    versions: Annotated[
        list[int] | None,
        typer.Option(
            "--from-version",
            metavar="NUMBER",
            help="Select active instances on this version only; can be repeated.",
        ),
    ] = None,
    elements: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="ELEMENT",
            help="Select active instances that wait at this element; can be repeated.",
        ),
    ] = None,
    statuses: Annotated[
        list[Status] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            help="Select active instances with this status, PENDING or RUNNING; can be repeated.",
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit", metavar="NUMBER", help="Select only so many of these, the first that were registered."
        ),
    ] = None,
    excluded: Annotated[
        list[UUID] | None,
        typer.Option(
            "--except", parser=parse_id, metavar="UUID", help="An instance to exclude; can be repeated."
        ),
    ] = None,
    excluded_from: Annotated[
        Path | None,
        typer.Option(
            "--except-from",
            metavar="FILE",
            help="A file of ids to exclude, one per line; - is standard input.",
        ),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help='Mapping instructions by version, as JSON {"<version>": {"<source>": "<target>"}}.',
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and change nothing.")] = False,
    fingerprint: Annotated[
        str | None,
        typer.Option(help="The fingerprint of a plan: upgrade only if the plan is still the same."),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="The reason, for the audit.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="A request repeated with the same key returns the same upgrade.")
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Do not wait for the end; a server or worker runs the upgrade.")
    ] = False,
    url: GatewayUrl = None,
    api_key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Upgrade instances to the latest published version of their process."""

    async def plan_or_upgrade() -> PlanSummary | UpgradeSummary:
        has_conditions = bool(versions or elements or statuses) or limit is not None
        selection = selection_from(
            ids=[*(ids or ()), *(read_ids(ids_from) if ids_from else ())],
            every_active=every_active or has_conditions,
            excluded=[*(excluded or ()), *(read_ids(excluded_from) if excluded_from else ())],
            fields=FIELDS,
        )
        if has_conditions:
            # An option that is not given is an empty list for typer.
            selection = matching(
                versions=versions or None,
                elements=elements or None,
                statuses=statuses or None,
                limit=limit,
                excluded=selection.named_ids,
                fields=FIELDS,
            )
        request = UpgradeRequest(
            process=parse_process(process),
            selection=selection,
            mappings=() if mapping is None else read_version_mappings(mapping),
            fingerprint=fingerprint,
            reason=reason,
            idempotency_key=idempotency_key,
        )
        async with operations_client(url, api_key, database_url) as client:
            if dry_run:
                return await client.plan(request)
            requested = await client.request(request)
            return requested if detach else await follow_upgrade(client, requested)

    result = run(plan_or_upgrade())
    if isinstance(result, PlanSummary):
        show(plan_table(result, rows=MAX_ROWS))
    else:
        report_upgrade(result, must_complete=True)
