"""How is the schema of a database looked at, and brought up to date?"""

import typer

from uplift.gateway.cli.options import DatabaseUrl
from uplift.gateway.cli.runner import fail, opened_database, run, settings_with
from uplift.storage.schema import NEWEST, bring_up_to_date, find_revision

app = typer.Typer(no_args_is_help=True, help="See the schema of a database, and bring it up to date.")


@app.command("upgrade")
def upgrade(database_url: DatabaseUrl = None) -> None:
    """Bring the schema up to date. Make a backup and stop all gateways and workers before."""

    async def work() -> str | None:
        async with (
            opened_database(settings_with(database_url=database_url)) as database,
            database.migrating() as connection,
        ):
            return await bring_up_to_date(connection)

    before = run(work())
    if before is None:
        typer.echo(f"Gave the empty database its tables, at revision {NEWEST}, the newest.")
    elif before == NEWEST:
        typer.echo(f"The schema is at revision {NEWEST} already, the newest.")
    else:
        typer.echo(f"Brought the schema from revision {before} to {NEWEST}, the newest.")


@app.command("current")
def current(database_url: DatabaseUrl = None) -> None:
    """Show the revision of the schema, and the newest."""
    found = run(_revision(database_url)) or "none, for it is empty"
    typer.echo(f"Revision of the database: {found}\nNewest revision: {NEWEST}")


@app.command("check")
def check(database_url: DatabaseUrl = None) -> None:
    """Leave with exit code 0 if the schema is up to date, otherwise say why it is not and leave with 1."""
    found = run(_revision(database_url))
    if found != NEWEST:
        state = "the database is empty" if found is None else f"it is at {found}. Make a backup"
        fail(f"Expected the schema to be at revision {NEWEST}, but {state}. Run 'uplift db upgrade'.")
    typer.echo(f"The schema is at revision {NEWEST}, the newest.")


async def _revision(database_url: str | None) -> str | None:
    settings = settings_with(database_url=database_url)
    async with opened_database(settings, must_exist=True) as database, database.reading() as connection:
        return await find_revision(connection)
