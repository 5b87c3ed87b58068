"""How does a terminal show the progress of an upgrade?"""

from gateway.cli.progress import bar_of_instances
from gateway.operating import Operator
from gateway.summaries import UpgradeSummary


async def follow(operator: Operator, upgrade: UpgradeSummary) -> UpgradeSummary:
    """Show an upgrade's progress until it ends; returns it then."""
    if upgrade.is_finished:
        return upgrade
    with bar_of_instances() as progress:
        task = progress.add_task(upgrade.state, total=upgrade.expected)

        def show(seen: UpgradeSummary) -> None:
            progress.update(task, completed=seen.total, total=seen.expected, description=seen.state)

        return await operator.follow(upgrade.id, show)
