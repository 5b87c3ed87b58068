"""Shows the progress of commands and upgrades.

Progress bars go to standard error, and only to a terminal.
"""

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from uplift.domain.model.upgrade import UpgradeState
from uplift.gateway.cli.output import ExitCode, report
from uplift.gateway.cli.tables import upgrade_table
from uplift.gateway.operations.client import OperationsClient
from uplift.gateway.operations.summaries import UpgradeSummary


def bytes_progress() -> Progress:
    """A progress bar for reading files."""
    return _progress(DownloadColumn(), TimeRemainingColumn())


def instances_progress() -> Progress:
    """A progress bar for upgrading instances."""
    return _progress(MofNCompleteColumn(), TimeRemainingColumn())


async def follow_upgrade(client: OperationsClient, upgrade: UpgradeSummary) -> UpgradeSummary:
    """Show the progress of an upgrade until it ends, and return its final state."""
    if upgrade.is_finished:
        return upgrade
    with instances_progress() as progress:
        task = progress.add_task(upgrade.state, total=upgrade.expected)

        def show(current: UpgradeSummary) -> None:
            progress.update(task, completed=current.total, total=current.expected, description=current.state)

        return await client.follow(upgrade.id, show)


def report_upgrade(upgrade: UpgradeSummary, *, must_complete: bool = False) -> None:
    """Print an upgrade. Exit with code 1 if it had to complete, but FAILED or was CANCELLED."""
    report(upgrade_table(upgrade))
    if must_complete and upgrade.state in (UpgradeState.FAILED, UpgradeState.CANCELLED):
        raise typer.Exit(ExitCode.FAILED)


def _progress(*columns: ProgressColumn) -> Progress:
    terminal = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        console=terminal,
        transient=True,
        disable=not terminal.is_terminal,
    )
