"""How are files imported from a terminal?"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from uplift.gateway.cli.options import DatabaseUrl
from uplift.gateway.cli.progress import bar_of_bytes
from uplift.gateway.cli.runner import local_caller, opened_store, run, settings_with
from uplift.gateway.files.importer import import_file


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(exists=True, dir_okay=False, help="JSON Lines, or CSV when it ends in .csv."),
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Import processes, versions and instances from files. Importing a file again changes nothing."""

    async def work() -> None:
        async with opened_store(settings_with(database_url=database_url)) as store:
            for file in files:
                with bar_of_bytes() as progress:
                    task = progress.add_task(file.name, total=file.stat().st_size)
                    done = await import_file(
                        store,
                        file,
                        caller=local_caller(),
                        on_progress=partial(_show, progress, task),
                    )
                typer.echo(f"{file.name}: imported {done}.")
            await store.database.analyze()

    run(work())


def _show(progress: Progress, task: TaskID, read: int) -> None:
    progress.update(task, completed=read)
