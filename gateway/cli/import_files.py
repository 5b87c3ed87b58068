"""The command `import`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, TaskID

from uplift.gateway.cli.options import DatabaseUrl
from uplift.gateway.cli.output import report
from uplift.gateway.cli.progress import bytes_progress
from uplift.gateway.cli.runner import local_caller, opened_store, run, settings_with
from uplift.gateway.files.importer import import_file


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            exists=True, dir_okay=False, help="A file of JSON Lines, or CSV if its name ends in .csv."
        ),
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Import processes, versions and instances from files. Importing a file again changes nothing."""

    async def import_all() -> None:
        settings = settings_with(database_url=database_url)
        async with opened_store(settings) as store:
            for file in files:
                with bytes_progress() as progress:
                    task = progress.add_task(file.name, total=file.stat().st_size)
                    imported = await import_file(
                        store,
                        file,
                        caller=local_caller(),
                        document_limits=settings.document_limits(),
                        on_progress=partial(_show, progress, task),
                    )
                report(f"{file.name}: imported {imported}.")
            await store.database.analyze()

    run(import_all())


def _show(progress: Progress, task: TaskID, bytes_read: int) -> None:
    progress.update(task, completed=bytes_read)
