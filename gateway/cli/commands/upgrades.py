"""The commands `upgrades list`, `show`, `pause`, `resume`, `cancel`, `retry` and `undo`."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Group, RenderableType

from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.request import RetryRequest, UndoRequest
from uplift.domain.model.selection import UpgradeId
from uplift.gateway.cli.options import ApiKey, DatabaseUrl, GatewayUrl, parse_id, parse_process
from uplift.gateway.cli.output import show as show_output
from uplift.gateway.cli.progress import follow_upgrade, report_upgrade
from uplift.gateway.cli.runner import operations_client, run
from uplift.gateway.cli.tables import events_table, upgrade_table, upgrades_table
from uplift.gateway.files.mapping_files import read_version_mappings
from uplift.gateway.operations.client import Change, OperationsClient
from uplift.gateway.operations.summaries import UpgradeSummary

app = typer.Typer(no_args_is_help=True, help="List, show, pause, resume, cancel, retry and undo upgrades.")

Id = Annotated[UUID, typer.Argument(metavar="ID", parser=parse_id, help="The id of the upgrade.")]
Reason = Annotated[str | None, typer.Option(help="The reason, for the audit.")]


@app.command("list")
def list_upgrades(
    process: Annotated[
        str | None, typer.Option(metavar="NAMESPACE/CODE", help="List upgrades of this process only.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="The largest number of upgrades.")] = 20,
    url: GatewayUrl = None,
    api_key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """List the latest upgrades, newest first."""

    async def latest() -> RenderableType:
        process_key = None if process is None else parse_process(process)
        async with operations_client(url, api_key, database_url) as client:
            return upgrades_table(await client.latest(process_key, limit))

    show_output(run(latest()))


@app.command("show")
def show(
    upgrade: Id,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show the progress until the upgrade ends.")
    ] = False,
    url: GatewayUrl = None,
    api_key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show the state, the outcomes and the events of an upgrade."""

    async def get() -> RenderableType:
        async with operations_client(url, api_key, database_url) as client:
            current = await client.get(UpgradeId(upgrade))
            shown = await follow_upgrade(client, current) if follow else current
            return Group(upgrade_table(shown), events_table(await client.events(shown.id)))

    show_output(run(get()))


@app.command("pause")
def pause(
    upgrade: Id, url: GatewayUrl = None, api_key: ApiKey = None, database_url: DatabaseUrl = None
) -> None:
    """Pause an upgrade until it is resumed."""
    _change(upgrade, Change.PAUSE, url, api_key, database_url)


@app.command("resume")
def resume(
    upgrade: Id, url: GatewayUrl = None, api_key: ApiKey = None, database_url: DatabaseUrl = None
) -> None:
    """Queue a paused upgrade again."""
    _change(upgrade, Change.RESUME, url, api_key, database_url)


@app.command("cancel")
def cancel(
    upgrade: Id, url: GatewayUrl = None, api_key: ApiKey = None, database_url: DatabaseUrl = None
) -> None:
    """Stop an upgrade for good. Instances that are upgraded already stay upgraded."""
    _change(upgrade, Change.CANCEL, url, api_key, database_url)


@app.command("retry")
def retry(
    upgrade: Id,
    reasons: Annotated[
        list[ReasonCode], typer.Option("--for", help="Retry instances that were skipped for this reason.")
    ],
    mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Mapping instructions by version, as JSON.")
    ] = None,
    reason: Reason = None,
    url: GatewayUrl = None,
    api_key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Upgrade the instances that an upgrade skipped for certain reasons."""

    async def request_retry(client: OperationsClient) -> UpgradeSummary:
        request = RetryRequest(
            upgrade_id=UpgradeId(upgrade),
            reasons=frozenset(reasons),
            mappings=() if mapping is None else read_version_mappings(mapping),
            reason=reason,
        )
        return await follow_upgrade(client, await client.retry(request))

    _run_and_report(request_retry, url, api_key, database_url, must_complete=True)


@app.command("undo")
def undo(
    upgrade: Id,
    reason: Reason = None,
    url: GatewayUrl = None,
    api_key: ApiKey = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Undo an upgrade for every instance that is still where the upgrade moved it."""

    async def request_undo(client: OperationsClient) -> UpgradeSummary:
        request = UndoRequest(upgrade_id=UpgradeId(upgrade), reason=reason)
        return await follow_upgrade(client, await client.undo(request))

    _run_and_report(request_undo, url, api_key, database_url, must_complete=True)


def _change(
    upgrade: UUID, change: Change, url: str | None, api_key: str | None, database_url: str | None
) -> None:
    _run_and_report(lambda client: client.change(UpgradeId(upgrade), change), url, api_key, database_url)


def _run_and_report(
    operation: Callable[[OperationsClient], Awaitable[UpgradeSummary]],
    url: str | None,
    api_key: str | None,
    database_url: str | None,
    *,
    must_complete: bool = False,
) -> None:
    async def run_operation() -> UpgradeSummary:
        async with operations_client(url, api_key, database_url) as client:
            return await operation(client)

    report_upgrade(run(run_operation()), must_complete=must_complete)
