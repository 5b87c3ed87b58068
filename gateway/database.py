"""How is the database opened that the settings name?"""

from pathlib import Path

from sqlalchemy.engine import URL

from uplift.domain.errors import InvalidInput
from uplift.storage.database import Database
from uplift.storage.store import SqlStore

MAGIC = b"SQLite format 3\0"


async def open_store(where: Path | URL) -> SqlStore:
    """The store in this SQLite file, which is created when it is not there, or in this PostgreSQL database.

    Raises InvalidInput, OSError and WrongSchema.
    """
    _must_be_a_database_or_nothing(where)
    return await SqlStore.open(where)


def database_in(where: Path | URL) -> Database:
    """The database there with whichever schema. Raises InvalidInput and OSError."""
    _must_be_a_database_or_nothing(where)
    return Database.at(where)


def _must_be_a_database_or_nothing(path: Path | URL) -> None:
    """Refuse a file that cannot be a database, with more sense than SQLite's "unable to open"."""
    if not isinstance(path, Path):
        return
    if not path.parent.is_dir():
        raise InvalidInput(f"Expected a folder {path.parent} for the database, but there is none.")
    if path.is_dir():
        raise InvalidInput(f"Expected the database {path} to be a file, but it is a folder.")
    if path.exists():
        with path.open("rb") as file:
            if file.read(len(MAGIC)) not in (b"", MAGIC):
                raise InvalidInput(f"Expected {path} to be an SQLite database, but it is another file.")
