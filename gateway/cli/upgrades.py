"""How are upgrades looked after from a terminal?"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import RenderableType

from uplift.domain.model.decision import ReasonCode
from uplift.domain.model.request import RetryRequest, UndoRequest
from uplift.domain.model.selection import UpgradeId
from uplift.gateway.cli.follow import follow, show_upgrade
from uplift.gateway.cli.ids import parse_id
from uplift.gateway.cli.operations import Key, Url, operator_for, process_key
from uplift.gateway.cli.options import DatabaseUrl
from uplift.gateway.cli.runner import run
from uplift.gateway.cli.tables import console, upgrades_table
from uplift.gateway.files.mapping_files import read_version_mappings
from uplift.gateway.operations.client import Change, OperationsClient
from uplift.gateway.operations.summaries import UpgradeSummary

app = typer.Typer(
    no_args_is_help=True, help="See, pause, resume, cancel, retry and undo upgrades, here or on a gateway."
)

Id = Annotated[UUID, typer.Argument(metavar="ID", parser=parse_id, help="The id of the upgrade.")]
Reason = Annotated[str | None, typer.Option(help="Why, for the audit.")]


@app.command("list")
def list_upgrades(
    process: Annotated[
        str | None, typer.Option(metavar="NAMESPACE/CODE", help="Of this process only.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=1_000, help="How many at the most.")] = 20,
    url: Url = None,
    key: Key = None,
    database_url: DatabaseUrl = None,
) -> None:
    """List the latest upgrades, the newest first."""

    async def work() -> RenderableType:
        wanted = None if process is None else process_key(process)
        async with operator_for(url, key, database_url) as operator:
            return upgrades_table(await operator.latest(wanted, most))

    console().print(run(work()))


@app.command("show")
def show(
    upgrade: Id,
    wait: Annotated[bool, typer.Option("--follow", help="Show the progress until it ends.")] = False,
    url: Url = None,
    key: Key = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show how far an upgrade has come."""

    async def see(operator: OperationsClient) -> UpgradeSummary:
        seen = await operator.see(upgrade)
        return await follow(operator, seen) if wait else seen

    _do(see, url, key, database_url)


@app.command("pause")
def pause(upgrade: Id, url: Url = None, key: Key = None, database_url: DatabaseUrl = None) -> None:
    """Stop an upgrade until it is resumed."""
    _do(lambda operator: operator.change(upgrade, Change.PAUSE), url, key, database_url)


@app.command("resume")
def resume(upgrade: Id, url: Url = None, key: Key = None, database_url: DatabaseUrl = None) -> None:
    """Queue a paused upgrade again."""
    _do(lambda operator: operator.change(upgrade, Change.RESUME), url, key, database_url)


@app.command("cancel")
def cancel(upgrade: Id, url: Url = None, key: Key = None, database_url: DatabaseUrl = None) -> None:
    """Stop an upgrade for good; what is done stays done."""
    _do(lambda operator: operator.change(upgrade, Change.CANCEL), url, key, database_url)


@app.command("retry")
def retry(
    upgrade: Id,
    reasons: Annotated[
        list[ReasonCode], typer.Option("--for", help="Take up those that were skipped for this reason.")
    ],
    mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Mapping instructions by version, as JSON.")
    ] = None,
    reason: Reason = None,
    url: Url = None,
    key: Key = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Upgrade just those instances that an upgrade skipped, for the reasons given."""

    async def again(operator: OperationsClient) -> UpgradeSummary:
        request = RetryRequest(
            upgrade_id=UpgradeId(upgrade),
            reasons=frozenset(reasons),
            mappings=() if mapping is None else read_version_mappings(mapping),
            reason=reason,
        )
        return await follow(operator, await operator.retry(request))

    _do(again, url, key, database_url, must_not_break_off=True)


@app.command("undo")
def undo(
    upgrade: Id, reason: Reason = None, url: Url = None, key: Key = None, database_url: DatabaseUrl = None
) -> None:
    """Take back every instance that still is where an upgrade put it."""

    async def back(operator: OperationsClient) -> UpgradeSummary:
        request = UndoRequest(upgrade_id=UpgradeId(upgrade), reason=reason)
        return await follow(operator, await operator.undo(request))

    _do(back, url, key, database_url, must_not_break_off=True)


def _do(
    what: Callable[[OperationsClient], Awaitable[UpgradeSummary]],
    url: str | None,
    key: str | None,
    database_url: str | None,
    *,
    must_not_break_off: bool = False,
) -> None:
    async def work() -> UpgradeSummary:
        async with operator_for(url, key, database_url) as operator:
            return await what(operator)

    show_upgrade(run(work()), must_not_break_off=must_not_break_off)
