"""How does a terminal show the progress of an upgrade?"""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.operating import Operator
from gateway.summaries import UpgradeSummary


async def follow(operator: Operator, upgrade: UpgradeSummary) -> UpgradeSummary:
    """Show an upgrade's progress until it ends; returns it then."""
    if upgrade.is_finished:
        return upgrade
    with _bar() as progress:
        task = progress.add_task(upgrade.state, total=upgrade.expected)

        def show(seen: UpgradeSummary) -> None:
            progress.update(task, completed=seen.total, total=seen.expected, description=seen.state)

        return await operator.follow(upgrade.id, show)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        # What is printed on standard output is the result; progress is for whoever watches.
        console=Console(stderr=True),
        transient=True,
    )
