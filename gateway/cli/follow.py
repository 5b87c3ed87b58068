"""How does a terminal show the progress of an upgrade?"""

import typer

from uplift.domain.model.upgrade import UpgradeState
from uplift.gateway.cli.progress import bar_of_instances
from uplift.gateway.cli.tables import console, upgrade_table
from uplift.gateway.operations.client import OperationsClient
from uplift.gateway.operations.summaries import UpgradeSummary


async def follow(operator: OperationsClient, upgrade: UpgradeSummary) -> UpgradeSummary:
    """Show an upgrade's progress until it ends; returns it then."""
    if upgrade.is_finished:
        return upgrade
    with bar_of_instances() as progress:
        task = progress.add_task(upgrade.state, total=upgrade.expected)

        def show(seen: UpgradeSummary) -> None:
            progress.update(task, completed=seen.total, total=seen.expected, description=seen.state)

        return await operator.follow(upgrade.id, show)


def show_upgrade(upgrade: UpgradeSummary, *, must_not_break_off: bool = False) -> None:
    """Print an upgrade; leave with exit code 1 if it must not end before its time, but did."""
    console().print(upgrade_table(upgrade))
    if must_not_break_off and upgrade.state in (UpgradeState.FAILED, UpgradeState.CANCELLED):
        raise typer.Exit(1)
