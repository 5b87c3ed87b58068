"""The commands `keys create`, `keys list`, `keys revoke` and `keys audit`."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from uplift.domain.errors import InvalidInput
from uplift.domain.model.access import Namespaces, Role, scope_of
from uplift.gateway.auth.expiry import expiry_on, span_of
from uplift.gateway.auth.key_audit import key_events
from uplift.gateway.auth.keys import create_key
from uplift.gateway.cli.options import DatabaseUrl, parse_id
from uplift.gateway.cli.output import report, show
from uplift.gateway.cli.runner import local_caller, opened_store, run, settings_with
from uplift.storage.repositories.api_keys import SqlKeys

app = typer.Typer(no_args_is_help=True, help="Create, list, revoke and audit API keys.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The name of the key, which the audit shows.")],
    role: Annotated[Role, typer.Option(help="The role of the key.")] = Role.READER,
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMESPACE",
            help="Limit the key to the processes of this namespace; can be repeated. By default it sees all.",
        ),
    ] = None,
    expires_in: Annotated[
        str | None, typer.Option(metavar="SPAN", help="The lifetime of the key, such as 90d, 12h, 30m or 2w.")
    ] = None,
    expires_on: Annotated[
        str | None, typer.Option(metavar="DATE", help="The last day (UTC) on which the key is valid.")
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Create an API key and show it once: only its digest is stored. By default it never expires."""

    async def work() -> str:
        # Invalid options end the command before it opens, and perhaps creates, the database.
        expiry_at, scope = _expiry(expires_in, expires_on), scope_of(namespace or ())
        async with opened_store(settings_with(database_url=database_url)) as store:
            now = await store.database.now()
            _, token = await create_key(
                SqlKeys(store.database),
                name=name,
                role=role,
                namespaces=scope,
                by=local_caller().name,
                expires_at=expiry_at(now),
                clock=lambda: now,
            )
            return token

    show(run(work()), lost="The key was created, but nobody has seen it: revoke it, and create another one.")


@app.command("list")
def list_keys(database_url: DatabaseUrl = None) -> None:
    """List all API keys without their secrets. Times are in UTC; the last use is up to a minute late."""

    async def work() -> Table:
        table = Table(box=None, pad_edge=False)
        table.add_column("id", no_wrap=True)
        for column in ("name", "role", "namespaces", "created", "expires", "last used", "revoked"):
            table.add_column(column)
        async with opened_store(settings_with(database_url=database_url), must_exist=True) as store:
            keys = SqlKeys(store.database)
            last_uses = await keys.last_uses()
            for key in await keys.all():
                times = (key.created_at, key.expires_at, last_uses.get(key.id), key.revoked_at)
                table.add_row(
                    str(key.id), Text(key.name), key.role, _scope(key.namespaces), *map(_text_of, times)
                )
        return table

    show(run(work()))


@app.command("revoke")
def revoke(
    key: Annotated[
        UUID, typer.Argument(parser=parse_id, metavar="KEY", help="The id of the key, as 'list' shows it.")
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Revoke an API key. From then on, every request with it is refused."""

    async def work() -> None:
        async with opened_store(settings_with(database_url=database_url), must_exist=True) as store:
            now = await store.database.now()
            if not await SqlKeys(store.database).revoke(key, now, by=local_caller().name):
                raise InvalidInput(f"Expected to revoke key {key}, but no valid key has this id.")

    run(work())
    report(f"Revoked {key}.")


@app.command("audit")
def audit(
    key: Annotated[
        UUID | None,
        typer.Argument(parser=parse_id, metavar="KEY", help="The id of a key, as 'list' shows it."),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Show who created and revoked API keys, and on which days they were used or refused."""

    async def work() -> Table:
        table = Table(box=None, pad_edge=False)
        table.add_column("when (UTC)", no_wrap=True)
        table.add_column("key", no_wrap=True)
        for column in ("name", "what"):
            table.add_column(column)
        async with opened_store(settings_with(database_url=database_url), must_exist=True) as store:
            for event in await key_events(SqlKeys(store.database), key):
                table.add_row(_text_of(event.at), str(event.key_id), Text(event.name), Text(event.what))
        return table

    show(run(work()))


def _expiry(span: str | None, day: str | None) -> Callable[[datetime], datetime | None]:
    """The expiry of a key that is created at a time."""
    if span is not None and day is not None:
        raise InvalidInput("Expected either --expires-in or --expires-on, but got both.")
    if span is not None:
        length = span_of(span)
        return lambda now: now + length
    end = None if day is None else expiry_on(day)
    return lambda _: end


def _text_of(time: datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%d %H:%M}"


def _scope(namespaces: Namespaces | None) -> Text:
    return Text("all" if namespaces is None else ", ".join(sorted(namespaces)))
