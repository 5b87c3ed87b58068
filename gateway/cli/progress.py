"""How far has a command come?

Shown on standard error, and only in a terminal: a file or pipe gets the answer alone.
"""

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


def bar_of_bytes() -> Progress:
    """For files that are read."""
    return _progress(DownloadColumn(), TimeRemainingColumn())


def bar_of_instances() -> Progress:
    """For instances that are worked off."""
    return _progress(MofNCompleteColumn(), TimeRemainingColumn())


def _progress(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
