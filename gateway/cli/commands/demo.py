"""The command `demo`."""

from typing import Annotated

import typer

from uplift.gateway.cli.options import SETTINGS, with_settings
from uplift.gateway.importing import uncollected
from uplift.gateway.settings import Settings


@with_settings(*(name for name in SETTINGS if name != "database_url"))
def demo(
    settings: Settings,
    instances: Annotated[int, typer.Option(min=1, max=10_000_000, help="The number of instances.")] = 100_000,
    seed: Annotated[int, typer.Option(help="The same seed creates the same instances.")] = 1,
    postgres: Annotated[
        bool, typer.Option("--postgres", help="Use a temporary PostgreSQL, which must be installed.")
    ] = False,
) -> None:
    """Serve a loan process with many instances from a temporary database, and show how to call it."""
    with uncollected():
        from uplift.gateway.cli.demo_serving import run_demo  # not by other commands: see `serve`

    run_demo(settings, instances=instances, seed=seed, on_postgres=postgres)
