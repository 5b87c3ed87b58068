"""How are API keys managed?"""

from typing import Annotated
from uuid import UUID

import typer
from rich.table import Table
from rich.text import Text

from domain.access import Role
from domain.clock import utc_now
from domain.errors import InvalidInput
from gateway.cli.running import DatabaseUrl, opened_store, run, settings_with
from gateway.cli.tables import console
from gateway.keys import create_key
from storage.keys import SqlKeys

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for; it stands in the audit.")],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.READER,
    database_url: DatabaseUrl = None,
) -> None:
    """Create an API key and show it, once: only its digest is stored."""

    async def work() -> str:
        async with opened_store(settings_with(database_url=database_url)) as store:
            _, token = await create_key(SqlKeys(store.database), name=name, role=role)
            return token

    typer.echo(run(work()))


@app.command("list")
def list_keys(database_url: DatabaseUrl = None) -> None:
    """List all API keys, without their secrets."""

    async def work() -> Table:
        table = Table(box=None, pad_edge=False)
        table.add_column("id", no_wrap=True)
        for column in ("name", "role", "created", "revoked"):
            table.add_column(column)
        async with opened_store(settings_with(database_url=database_url), must_exist=True) as store:
            for key in await SqlKeys(store.database).all():
                revoked = "" if key.revoked_at is None else f"{key.revoked_at:%Y-%m-%d %H:%M}"
                created = f"{key.created_at:%Y-%m-%d %H:%M}"
                table.add_row(str(key.id), Text(key.name), key.role, created, revoked)
        return table

    console().print(run(work()))


@app.command("revoke")
def revoke(
    key: Annotated[UUID, typer.Argument(help="The id of the key, as 'list' shows it.")],
    database_url: DatabaseUrl = None,
) -> None:
    """Revoke an API key: from the next request on it is refused."""

    async def work() -> None:
        async with opened_store(settings_with(database_url=database_url), must_exist=True) as store:
            if not await SqlKeys(store.database).revoke(key, utc_now()):
                raise InvalidInput(f"Expected to revoke key {key}, but no valid key has this id.")

    run(work())
    typer.echo(f"Revoked {key}.")
