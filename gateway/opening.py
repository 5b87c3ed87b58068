"""How is the database opened that the settings name?"""

from pathlib import Path

from domain.errors import InvalidInput
from storage.store import SqlStore

MAGIC = b"SQLite format 3\0"


async def open_store(path: Path) -> SqlStore:
    """The store in this file, which is created when it is not there.

    Raises InvalidInput for what cannot be one, with more sense than SQLite's "unable to open", and OSError.
    """
    if not path.parent.is_dir():
        raise InvalidInput(f"Expected a folder {path.parent} for the database, but there is none.")
    if path.is_dir():
        raise InvalidInput(f"Expected the database {path} to be a file, but it is a folder.")
    if path.exists() and not _is_database(path):
        raise InvalidInput(f"Expected {path} to be an SQLite database, but it is another file.")
    return await SqlStore.open(path)


def _is_database(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(MAGIC)) in (b"", MAGIC)
