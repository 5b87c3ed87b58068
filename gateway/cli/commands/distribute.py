"""The command `db distribute`."""

from typing import Annotated

import typer

from uplift.gateway.cli.options import DatabaseUrl
from uplift.gateway.cli.output import report
from uplift.gateway.cli.runner import opened_database, run, settings_with
from uplift.storage.citus.distribution import Planned, distribute, plan_distribution


def distribute_database(
    shards: Annotated[
        int | None,
        typer.Option(
            "--shards",
            help="The number of shards, at least 2, which cannot be changed later. Without it a database "
            "that is distributed already is repaired.",
            show_default=False,
        ),
    ] = None,
    is_confirmed: Annotated[
        bool, typer.Option("--yes", help="Distribute it. Otherwise only say what would be done.")
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Experimental: distribute the instances to the workers of a cluster of Citus, or repair that.

    First stop all gateways and workers, and make a backup. Either all of it is done, or nothing.
    """

    async def work() -> Planned:
        settings = settings_with(database_url=database_url)
        async with opened_database(settings, must_exist=True) as database, database.migrating() as connection:
            if not is_confirmed:
                return await plan_distribution(connection, shards)
            return await distribute(connection, shards)

    planned = run(work())
    where = f"{planned.shards:,} shards on {planned.workers:,} {'node' if planned.workers == 1 else 'nodes'}"
    if is_confirmed:
        report(
            f"The database is distributed to {where}. Start gateways and workers, then run 'uplift doctor'."
        )
    elif planned.is_distributed:
        report(
            f"The database is distributed to {where}. Would distribute its tables and set its settings again "
            "where that is missing. Nothing was changed: stop all gateways and workers, and repeat the "
            "command with --yes."
        )
    else:
        report(
            f"Would distribute {planned.instances:,} instances to {where}, in one transaction. Nothing was "
            "changed: stop all gateways and workers, make a backup, and repeat the command with --yes."
        )
