"""Runs the revisions. Import it only when a schema is not the newest: importing Alembic takes time."""

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
    """Run the revisions that lead to this one, within the transaction that is under way.

    Each gets its operations as an argument: those of `alembic.op` belong to the whole program, in which
    several databases may be opened at once.
    """
    scripts = among or revisions(VERSIONS)
    context = MigrationContext.configure(
        connection,
        # Alembic plans the steps in this method only; its public commands need an environment file.
        opts={"fn": lambda current, _: scripts._upgrade_revs(to, current)},  # noqa: SLF001
    )
    context.run_migrations(op=Operations(context))
