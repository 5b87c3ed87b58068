"""How are instances upgraded from a terminal?"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from domain.errors import InvalidInput
from domain.instance import ACTIVE
from domain.mapping import VersionMapping
from domain.planning import plan_upgrade
from domain.process import ProcessKey
from domain.selection import ByIds, Selection, SelectionFields, one_way_of_selecting
from domain.upgrade import Upgrade
from domain.upgrading import upgrade_instances
from gateway.cli.running import DatabaseUrl, local_caller, opened_store, run, settings_with
from gateway.cli.tables import console, plan_table, upgrade_table
from gateway.mapping_files import read_version_mappings
from gateway.remote import Gateway
from gateway.settings import Settings, without_password
from gateway.summaries import summary_of_plan, summary_of_upgrade
from storage.store import SqlStore

FIELDS = SelectionFields(
    ids="--id or --ids-from", all_active="--all-active", excluded="--except or --except-from"
)


MAX_ROWS = 1_000
"""Most cohorts of a plan that are shown one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for."""

    process: ProcessKey
    selection: Selection
    mappings: tuple[VersionMapping, ...]
    fingerprint: str | None
    reason: str | None


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
    mapping: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help='Mapping instructions by version, as JSON {"<version>": {"<source>": "<target>"}}.',
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and change nothing.")] = False,
    fingerprint: Annotated[
        str | None, typer.Option(help="That of a plan: upgrade only if just that would happen.")
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

    async def work() -> RenderableType:
        wanted = Wanted(
            process=_process_key(process),
            selection=one_way_of_selecting(
                ids=[*(ids or ()), *_ids_in(ids_from)],
                every_active=every_active,
                excluded=[*(excluded or ()), *_ids_in(excluded_from)],
                fields=FIELDS,
            ),
            mappings=() if mapping is None else read_version_mappings(mapping),
            fingerprint=fingerprint,
            reason=reason,
        )
        if url is not None:
            if database_url is not None:
                raise InvalidInput(
                    "Expected either a gateway or a database, but got both "
                    f"{without_password(url)} (--url or UPLIFT_URL) and --database-url."
                )
            return await _there(Gateway(url=url, key=_must_have(key)), wanted, dry_run=dry_run)
        return await _here(settings_with(database_url=database_url), wanted, dry_run=dry_run)

    console().print(run(work()))


async def _there(gateway: Gateway, wanted: Wanted, *, dry_run: bool) -> RenderableType:
    if dry_run:
        return plan_table(
            await gateway.plan(wanted.process, wanted.selection, wanted.mappings), rows=MAX_ROWS
        )
    with _spinner(f"Upgrading on {without_password(gateway.url)}"):
        done = await gateway.upgrade(
            wanted.process,
            wanted.selection,
            wanted.mappings,
            fingerprint=wanted.fingerprint,
            reason=wanted.reason,
        )
    return upgrade_table(done)


async def _here(settings: Settings, wanted: Wanted, *, dry_run: bool) -> RenderableType:
    async with opened_store(settings, must_exist=True) as store:
        if dry_run:
            plan = await plan_upgrade(
                store, process=wanted.process, selection=wanted.selection, mappings=wanted.mappings
            )
            return plan_table(summary_of_plan(plan), rows=MAX_ROWS)
        done = await _upgrade_with_bar(store, wanted)
        return upgrade_table(summary_of_upgrade(done, (await store.decisions([done.id]))[done.id]))


async def _upgrade_with_bar(store: SqlStore, wanted: Wanted) -> Upgrade:
    total = await _expected(store, wanted.process, wanted.selection)
    with _bar() as progress:
        task = progress.add_task("Upgrading", total=total)
        return await upgrade_instances(
            store,
            process=wanted.process,
            selection=wanted.selection,
            caller=local_caller(),
            mappings=wanted.mappings,
            fingerprint=wanted.fingerprint,
            reason=wanted.reason,
            on_progress=lambda so_far: progress.update(task, completed=so_far.total),
        )


async def _expected(store: SqlStore, process: ProcessKey, selection: Selection) -> int:
    """About how many outcomes there will be, for the bar: instances may come and go meanwhile."""
    if isinstance(selection, ByIds):
        return len(selection.ids)
    cohorts = (await store.cohorts([process]))[process]
    return sum(counted.count for counted in cohorts if counted.cohort.status in ACTIVE)


def _must_have(key: str | None) -> str:
    if key is None:
        raise InvalidInput("Expected an API key for the gateway, as --key or UPLIFT_KEY, but got none.")
    return key


def _process_key(name: str) -> ProcessKey:
    namespace, slash, code = name.partition("/")
    if not slash or not namespace or not code:
        raise InvalidInput(f"Expected the process as NAMESPACE/CODE, but got {name!r}.")
    return ProcessKey(namespace=namespace, code=code)


def _ids_in(file: Path | None) -> Sequence[UUID]:
    if file is None:
        return ()
    if str(file) == "-":
        return _ids_of(sys.stdin.buffer, "standard input")
    with file.open("rb") as lines:
        return _ids_of(lines, str(file))


def _ids_of(lines: Iterable[bytes], name: str) -> Sequence[UUID]:
    ids = []
    for number, line in enumerate(lines, start=1):
        if text := line.decode("utf-8-sig", "replace").strip():
            try:
                ids.append(UUID(text))
            except ValueError as error:
                raise InvalidInput(
                    f"Expected line {number} of {name} to be an id, but got {text[:100]!r}."
                ) from error
    return ids


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        transient=True,
    )


def _spinner(text: str) -> Progress:
    progress = Progress(TextColumn("{task.description}", markup=False), BarColumn(), transient=True)
    progress.add_task(text, total=None)
    return progress
