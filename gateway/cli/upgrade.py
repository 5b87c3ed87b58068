"""How are instances upgraded from a terminal?"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from uplift.domain.errors import InvalidInput
from uplift.domain.model.request import UpgradeRequest
from uplift.domain.model.selection import SelectionFields, selection_from
from uplift.gateway.cli.follow import follow, show_upgrade
from uplift.gateway.cli.ids import parse_id
from uplift.gateway.cli.operations import Key, Url, operator_for, process_key
from uplift.gateway.cli.options import DatabaseUrl
from uplift.gateway.cli.runner import run
from uplift.gateway.cli.tables import console, plan_table
from uplift.gateway.files.mapping_files import read_version_mappings
from uplift.gateway.operations.summaries import PlanSummary, UpgradeSummary
from uplift.web.uuids import read_uuid

FIELDS = SelectionFields(
    ids="--id or --ids-from", all_active="--all-active", excluded="--except or --except-from"
)


MAX_ROWS = 1_000
"""Most cohorts of a plan that are shown one by one."""


def upgrade(
    process: Annotated[str, typer.Argument(metavar="NAMESPACE/CODE", help="The process.")],
    ids: Annotated[
        list[UUID] | None,
        typer.Option("--id", parser=parse_id, metavar="UUID", help="An instance to upgrade."),
    ] = None,
    ids_from: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A file of ids, one a line; - is standard input.")
    ] = None,
    every_active: Annotated[
        bool, typer.Option("--all-active", help="All instances that have not ended.")
    ] = False,
    excluded: Annotated[
        list[UUID] | None,
        typer.Option("--except", parser=parse_id, metavar="UUID", help="An instance to leave out."),
    ] = None,
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
    idempotency_key: Annotated[
        str | None, typer.Option(help="Repeated under the same key, the request leads to the same upgrade.")
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Do not wait for the end; a server or worker goes on.")
    ] = False,
    url: Url = None,
    key: Key = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Upgrade instances to the latest published version of their process, here or on another gateway."""

    async def work() -> PlanSummary | UpgradeSummary:
        request = UpgradeRequest(
            process=process_key(process),
            selection=selection_from(
                ids=[*(ids or ()), *_ids_in(ids_from)],
                every_active=every_active,
                excluded=[*(excluded or ()), *_ids_in(excluded_from)],
                fields=FIELDS,
            ),
            mappings=() if mapping is None else read_version_mappings(mapping),
            fingerprint=fingerprint,
            reason=reason,
            idempotency_key=idempotency_key,
        )
        async with operator_for(url, key, database_url) as operator:
            if dry_run:
                return await operator.plan(request)
            requested = await operator.request(request)
            return requested if detach else await follow(operator, requested)

    done = run(work())
    if isinstance(done, PlanSummary):
        console().print(plan_table(done, rows=MAX_ROWS))
    else:
        show_upgrade(done, must_not_break_off=True)


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
                ids.append(read_uuid(text))
            except ValueError as error:
                raise InvalidInput(
                    f"Expected line {number} of {name} to be an id, but got {text[:100]!r}."
                ) from error
    return ids
