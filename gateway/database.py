"""Opens the database that the settings name."""

from pathlib import Path

from sqlalchemy.engine import URL

from uplift.domain.errors import InvalidInput
from uplift.gateway.files.regular_files import open_regular
from uplift.storage.database import Database
from uplift.storage.store import SqlStore

MAGIC = b"SQLite format 3\0"


async def open_store(place: Path | URL) -> SqlStore:
    """The store in this PostgreSQL database or SQLite file. A missing file is created.

    Raises InvalidInput, OSError, WrongSchema and UnsafeCluster.
    """
    _require_sqlite_file(place)
    return await SqlStore.open(place)


def database_in(place: Path | URL) -> Database:
    """The database there, whatever its schema. Raises InvalidInput and OSError."""
    _require_sqlite_file(place)
    return Database.at(place)


def _require_sqlite_file(path: Path | URL) -> None:
    """Raise InvalidInput for a file that is no database. SQLite itself would only say "unable to open"."""
    if not isinstance(path, Path):
        return
    if not path.parent.is_dir():
        raise InvalidInput(f"Expected a folder {path.parent} for the database, but there is none.")
    if path.is_dir():
        raise InvalidInput(f"Expected the database {path} to be a file, but it is a folder.")
    if path.exists():
        with open_regular(path) as file:
            if file.read(len(MAGIC)) not in (b"", MAGIC):
                raise InvalidInput(f"Expected {path} to be an SQLite database, but it is another file.")
