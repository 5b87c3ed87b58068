"""Which commands are there? Each is told in a module of its own; here they are gathered."""

from importlib.metadata import version
from typing import Annotated

import typer

from uplift.gateway.cli import (
    audit,
    database,
    diff,
    import_files,
    keys,
    schema,
    serve,
    upgrade,
    upgrades,
)
from uplift.gateway.cli.runner import further_settings

app = typer.Typer(
    name="uplift",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Upgrades running process instances in bulk to the latest published version of their process.",
    epilog="Settings can also be given as environment variables, which each command's --help names.",
)
app.command("serve", epilog=further_settings(serve.serve))(serve.serve)
app.command("demo", epilog=further_settings(serve.demo, but=("database_url",)))(serve.demo)
app.command("import")(import_files.import_files)
app.command("upgrade")(upgrade.upgrade)
app.command("diff")(diff.diff)
app.command("print-schema")(schema.print_schema)
app.command("worker")(serve.worker)
app.command("export-audit")(audit.export)
app.command("prune-audit")(audit.prune)
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
