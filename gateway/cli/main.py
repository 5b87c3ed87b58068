"""The command line: all commands of `uplift`."""

from importlib.metadata import version
from typing import Annotated

import typer

from uplift.gateway.cli.application import Application
from uplift.gateway.cli.commands import (
    audit,
    database,
    demo,
    diff,
    doctor,
    explain,
    import_files,
    keys,
    links,
    serve,
    upgrade,
    upgrades,
)
from uplift.gateway.cli.output import show, write_data
from uplift.gateway.importing import uncollected

app = Application(
    name="uplift",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Upgrades running process instances in bulk to the latest published version of their process.",
    epilog="Settings can also be environment variables. Each command's --help names them.",
)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("import")(import_files.import_files)
app.command("upgrade")(upgrade.upgrade)
app.command("diff")(diff.diff)
app.command("doctor")(doctor.doctor)
app.command("explain")(explain.explain_code)
app.command("worker")(serve.worker)
app.command("export-audit")(audit.export)
app.command("prune-audit")(audit.prune)
app.add_typer(upgrades.app, name="upgrades")
app.add_typer(database.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(links.app, name="links")


@app.command("print-schema")
def print_schema() -> None:
    """Print the GraphQL schema, for code generators."""
    with uncollected():
        from uplift.graphql_api import schema  # not by other commands: see `serve`

    write_data(schema.print_schema())


def _show_version(is_requested: bool) -> None:
    if is_requested:
        show(version("uplift-gateway"))
        raise typer.Exit


@app.callback()
def main(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Upgrades running process instances in bulk to the latest published version of their process."""
