"""How are instances upgraded from a terminal?"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from domain.decision import ReasonCode
from domain.errors import InvalidInput
from domain.instance import ACTIVE
from domain.process import ProcessKey
from domain.selection import ByIds, Selection, SelectionFields, one_way_of_selecting
from domain.upgrade import Upgrade
from domain.upgrading import upgrade_instances
from gateway.cli.running import DatabaseUrl, local_caller, opened_store, run, settings_with
from gateway.remote import UpgradeSummary, upgrade_remotely
from gateway.settings import Settings
from storage.store import SqlStore

FIELDS = SelectionFields(
    ids="--id or --ids-from", all_active="--all-active", excluded="--except or --except-from"
)


def upgrade(
    process: Annotated[str, typer.Argument(metavar="NAMESPACE/CODE", help="The process.")],
    ids: Annotated[list[UUID] | None, typer.Option("--id", help="An instance to upgrade.")] = None,
    ids_from: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file of ids, one a line; - is standard input.")
    ] = None,
    every_active: Annotated[
        bool, typer.Option("--all-active", help="All instances that have not ended.")
    ] = False,
    excluded: Annotated[list[UUID] | None, typer.Option("--except", help="An instance to leave out.")] = None,
    excluded_from: Annotated[
        Path | None,
        typer.Option("--except-from", metavar="FILE", help="A file of ids to leave out; - likewise."),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the audit.")] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", envvar="UPLIFT_URL", help="A gateway to ask instead.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", envvar="UPLIFT_KEY", help="The API key for that gateway.")
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Upgrade instances to the latest published version of their process, here or on another gateway."""

    async def work() -> UpgradeSummary:
        wanted = _process_key(process)
        selection = one_way_of_selecting(
            ids=[*(ids or ()), *_ids_in(ids_from)],
            every_active=every_active,
            excluded=[*(excluded or ()), *_ids_in(excluded_from)],
            fields=FIELDS,
        )
        if url is None:
            return await _upgrade_here(settings_with(database_url=database_url), wanted, selection, reason)
        if key is None:
            raise InvalidInput(
                "Expected an API key for the gateway, as --key or UPLIFT_KEY, but there is none."
            )
        with _spinner(f"Upgrading on {url}"):
            return await upgrade_remotely(
                url=url, key=key, process=wanted, selection=selection, reason=reason
            )

    Console().print(_report(run(work())))


async def _upgrade_here(
    settings: Settings, process: ProcessKey, selection: Selection, reason: str | None
) -> UpgradeSummary:
    async with opened_store(settings, must_exist=True) as store:
        with _bar() as progress:
            task = progress.add_task("Upgrading", total=await _expected(store, process, selection))
            done = await upgrade_instances(
                store,
                process=process,
                selection=selection,
                caller=local_caller(),
                reason=reason,
                on_progress=lambda so_far: progress.update(task, completed=so_far.total),
            )
        return await _summary(store, done)


async def _expected(store: SqlStore, process: ProcessKey, selection: Selection) -> int:
    """About how many outcomes there will be, for the bar: instances may come and go meanwhile."""
    if isinstance(selection, ByIds):
        return len(selection.ids)
    cohorts = (await store.cohorts([process]))[process]
    return sum(counted.count for counted in cohorts if counted.cohort.status in ACTIVE)


async def _summary(store: SqlStore, done: Upgrade) -> UpgradeSummary:
    counts: dict[str, int] = {}
    skips = (await store.decisions([done.id]))[done.id]
    for counted in skips:
        for reason in counted.decision.reasons:
            counts[reason.code] = counts.get(reason.code, 0) + counted.count
    if not_found := done.skipped - sum(counted.count for counted in skips):
        counts[ReasonCode.INSTANCE_NOT_FOUND] = not_found
    return UpgradeSummary(
        id=str(done.id),
        target_version=done.target_version,
        upgraded=done.upgraded,
        skipped=done.skipped,
        excluded=done.excluded,
        counts_by_reason=counts,
    )


def _report(done: UpgradeSummary) -> Table:
    table = Table(title=f"Upgrade {done.id} to version {done.target_version}", title_justify="left")
    table.add_column("outcome")
    table.add_column("instances", justify="right")
    table.add_row("upgraded", f"{done.upgraded:,}")
    table.add_row("skipped", f"{done.skipped:,}")
    for code, count in sorted(done.counts_by_reason.items()):
        table.add_row(f"  {code}", f"{count:,}")
    table.add_row("excluded", f"{done.excluded:,}")
    return table


def _process_key(name: str) -> ProcessKey:
    namespace, slash, code = name.partition("/")
    if not slash or not namespace or not code:
        raise InvalidInput(f"Expected the process as NAMESPACE/CODE, but got {name!r}.")
    return ProcessKey(namespace=namespace, code=code)


def _ids_in(file: Path | None) -> Sequence[UUID]:
    if file is None:
        return ()
    if str(file) == "-":
        return _ids_of(sys.stdin, "standard input")
    with file.open(encoding="utf-8") as lines:
        return _ids_of(lines, str(file))


def _ids_of(lines: Iterable[str], name: str) -> Sequence[UUID]:
    ids = []
    for number, line in enumerate(lines, start=1):
        if text := line.strip():
            try:
                ids.append(UUID(text))
            except ValueError as error:
                raise InvalidInput(
                    f"Expected line {number} of {name} to be an id, but got {text!r}."
                ) from error
    return ids


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        transient=True,
    )


def _spinner(text: str) -> Progress:
    progress = Progress(TextColumn("{task.description}"), BarColumn(), transient=True)
    progress.add_task(text, total=None)
    return progress
