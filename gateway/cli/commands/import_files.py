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
from uplift.gateway.files.regular_files import STANDARD_INPUT
from uplift.gateway.memory import few_full_collections


def _require_files(files: list[Path]) -> list[Path]:
    # typer's own check of existence does not know standard input.
    for file in files:
        if file != STANDARD_INPUT and not file.exists():
            raise typer.BadParameter(f"file {str(file)!r} does not exist.")
        if file.is_dir():
            raise typer.BadParameter(f"file {str(file)!r} is a directory.")
    return files


def import_files(
    files: Annotated[
        list[Path],
        typer.Argument(
            callback=_require_files,
            help="A file of JSON Lines, or CSV if its name ends in .csv; - is standard input, as JSON Lines.",
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
                    task = progress.add_task(_name(file), total=_size(file))
                    imported = await import_file(
                        store,
                        file,
                        caller=local_caller(),
                        document_limits=settings.document_limits(),
                        on_progress=partial(_show, progress, task),
                    )
                report(f"{_name(file)}: imported {imported}.")
            await store.database.analyze()

    # Full collections would take two fifths of the program's time, and find nothing: records have no cycles.
    with few_full_collections():
        run(import_all())


def _name(file: Path) -> str:
    return "standard input" if file == STANDARD_INPUT else file.name


def _size(file: Path) -> int | None:
    return None if file == STANDARD_INPUT else file.stat().st_size


def _show(progress: Progress, task: TaskID, bytes_read: int) -> None:
    progress.update(task, completed=bytes_read)
