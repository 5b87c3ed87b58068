"""Runs the revisions. Import it only for a migration, because importing Alembic takes time."""

from functools import cache
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

VERSIONS = Path(__file__).with_name("versions")


@cache
def revisions(*folders: Path) -> ScriptDirectory:
    """The revisions in these folders."""
    return ScriptDirectory(folders[0], version_locations=folders)


def known_revisions() -> set[str]:
    """The numbers of all revisions."""
    return {script.revision for script in revisions(VERSIONS).walk_revisions()}


def migrate(connection: Connection, to: str = "head", *, among: ScriptDirectory | None = None) -> None:
    """Run the revisions up to `to`, within the current transaction.

    Each revision gets its operations as an argument: `alembic.op` is global, but a program may migrate
    several databases at the same time.
    """
    scripts = among or revisions(VERSIONS)
    context = MigrationContext.configure(
        connection,
        # Only this private method plans the steps; the public commands require an env.py.
        opts={"fn": lambda current, _: scripts._upgrade_revs(to, current)},  # noqa: SLF001
    )
    context.run_migrations(op=Operations(context))
