"""Which commands are there? Each is told in a module of its own; here they are gathered."""

from importlib.metadata import version
from typing import Annotated

import typer

from gateway.cli import auditing, comparing, database, importing, keys, schema, serving, upgrades, upgrading
from gateway.cli.running import further_settings

app = typer.Typer(
    name="uplift",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Upgrades running process instances in bulk to the latest published version of their process.",
    epilog="Settings can also be given as environment variables, which each command's --help names.",
)
app.command("serve", epilog=further_settings(serving.serve))(serving.serve)
app.command("demo", epilog=further_settings(serving.demo, but=("database_url",)))(serving.demo)
app.command("import")(importing.import_files)
app.command("upgrade")(upgrading.upgrade)
app.command("diff")(comparing.diff)
app.command("print-schema")(schema.print_schema)
app.command("worker")(serving.worker)
app.command("export-audit")(auditing.export)
app.command("prune-audit")(auditing.prune)
app.add_typer(upgrades.app, name="upgrades")
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("uplift-gateway"))
        raise typer.Exit


@app.callback()
def main(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Upgrades running process instances in bulk to the latest published version of their process."""
