"""The commands `db upgrade`, `db current` and `db check`, beside `db distribute`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from uplift.gateway.cli.commands.distribute import distribute_database
from uplift.gateway.cli.options import DatabaseUrl
from uplift.gateway.cli.output import ExitCode, report, show
from uplift.gateway.cli.runner import fail, opened_database, run, settings_with
from uplift.gateway.cli.tables import differences_table, order_differences_table
from uplift.storage.citus.distribution import add_new_tables
from uplift.storage.count_check import CountDifference, find_count_differences, repair_counts
from uplift.storage.order_check import OrderDifference, find_order_differences
from uplift.storage.schema import NEWEST, bring_up_to_date, find_revision

app = typer.Typer(
    no_args_is_help=True,
    help="Show the schema revision of a database, migrate it to the newest, check its kept counts, or "
    "distribute it to a cluster of Citus.",
)

app.command("distribute")(distribute_database)


@app.command("upgrade")
def upgrade(database_url: DatabaseUrl = None) -> None:
    """Migrate the schema to the newest revision. First stop all gateways and workers, and make a backup."""

    async def migrate() -> str | None:
        async with (
            opened_database(settings_with(database_url=database_url)) as database,
            database.migrating() as connection,
        ):
            before = await bring_up_to_date(connection)
            await add_new_tables(connection)
            return before

    before = run(migrate())
    if before is None:
        report(f"Created the tables in the empty database, at the newest revision, {NEWEST}.")
    elif before == NEWEST:
        report(f"The schema is already at the newest revision, {NEWEST}.")
    else:
        report(f"Migrated the schema from revision {before} to the newest, {NEWEST}.")


@app.command("current")
def current(database_url: DatabaseUrl = None) -> None:
    """Show the revision of the schema and the newest revision."""
    revision = run(_revision(database_url)) or "none, the database is empty"
    show(f"Revision of the database: {revision}\nNewest revision: {NEWEST}")


@app.command("check")
def check(
    counts: Annotated[
        bool,
        typer.Option(
            "--counts",
            help="Also compare the kept count of each cohort with its instances, and the counts of linked "
            "upgrades with their orders, and list wrong ones.",
        ),
    ] = False,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair", help="Correct wrong counts of cohorts. No instance can be written in the meantime."
        ),
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Exit with code 0 if the schema has the newest revision, else with code 1 and the reason."""
    if repair and not counts:
        fail("Expected --repair only together with --counts.", code=ExitCode.WRONG_USAGE)
    revision = run(_revision(database_url))
    if revision != NEWEST:
        state = "the database is empty" if revision is None else f"it is at {revision}. Make a backup"
        fail(f"Expected the schema to be at revision {NEWEST}, but {state}. Run 'uplift db upgrade'.")
    report(f"The schema is at the newest revision, {NEWEST}.")
    if counts:
        orders = run(_order_differences(database_url))
        cohorts = run(_differences(database_url, repair=repair))
        # Both are reported before the first failure ends the command.
        failures = [*_report_counts(cohorts, are_repaired=repair), *_report_orders(orders)]
        if failures:
            fail("\n".join(failures))


def _report_counts(differences: Sequence[CountDifference], *, are_repaired: bool) -> list[str]:
    """Show the differences. Returns the error if they are still there."""
    if not differences:
        report("The kept counts of all cohorts are right.")
        return []
    report(differences_table(differences))
    cohorts = f"{len(differences):,} {'cohort' if len(differences) == 1 else 'cohorts'}"
    if are_repaired:
        report(f"Corrected the kept counts of {cohorts}.")
        return []
    wrong = f"Expected kept counts to be the numbers of instances, but those of {cohorts} are not."
    return [f"{wrong} Run 'uplift db check --counts --repair'."]


def _report_orders(differences: Sequence[OrderDifference]) -> list[str]:
    """Show the differences. Returns the error if there are some."""
    if not differences:
        return []
    report(order_differences_table(differences))
    return ["Expected the counts of linked upgrades to be those of their orders, but these are not."]


async def _order_differences(database_url: str | None) -> tuple[OrderDifference, ...]:
    async with opened_database(settings_with(database_url=database_url)) as database:
        await database.read_layout()
        return await find_order_differences(database)


async def _differences(database_url: str | None, *, repair: bool) -> tuple[CountDifference, ...]:
    async with opened_database(settings_with(database_url=database_url)) as database:
        await database.read_layout()
        return await (repair_counts(database) if repair else find_count_differences(database))


async def _revision(database_url: str | None) -> str | None:
    settings = settings_with(database_url=database_url)
    async with opened_database(settings, must_exist=True) as database, database.reading() as connection:
        return await find_revision(connection)
