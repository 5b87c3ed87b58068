"""Notices when the files of a database are moved, deleted or replaced while a program has them open.

SQLite itself would go on: it writes to the deleted file, and a new connection creates an empty one.
"""

import os
import time
from pathlib import Path
from typing import NamedTuple

from uplift.domain.errors import StoreUnavailable

CHECK_INTERVAL = 0.25
"""Seconds between two checks before reads and writes. Each commit is checked before it is acknowledged."""
MIN_FREE_BYTES = 1024 * 1024
"""The disk counts as full below this: a commit needs a few pages in the WAL, a chunk hundreds."""

Identity = tuple[int, int] | None
"""The device and inode of a file; None if there is none."""


class OpenFiles(NamedTuple):
    """The files that a connection has open: the database, and the two that it shares with other connections.

    SQLite creates those two with the first page of a new database.
    """

    main: Identity
    wal: Identity
    shm: Identity


class DatabaseFiles:
    """The files of one database on the disk, to compare with those that its connections have opened."""

    def __init__(self, path: Path) -> None:
        self._main = str(path)
        self._folder = str(path.parent)
        self._first: Identity = None
        self._next_check = 0.0

    def require_same_database(self) -> None:
        """Raise StoreUnavailable before a new connection opens another database than those before."""
        if self._first is not None and _identity(self._main) != self._first:
            raise _moved()

    def opened(self) -> OpenFiles:
        """The files that a connection has just opened. The main file of the first one must stay for good.

        The last connection that is closed deletes the other two, so each connection remembers its own.
        """
        files = self._current()
        if self._first is None:
            self._first = files.main
        return files

    def require_present(self, files: OpenFiles, *, immediately: bool = False) -> OpenFiles:
        """The open files as they are now. Raises StoreUnavailable if one of them is not in its place.

        Unless `immediately`, it looks at most every CHECK_INTERVAL: a look costs some ten microseconds.
        """
        now = time.monotonic()
        if not immediately and now < self._next_check:
            return files
        current = self._current()
        if current.main != self._first or not _includes(current, files):
            raise _moved()
        self._next_check = now + CHECK_INTERVAL
        return current

    def require_writable(self) -> None:
        """Raise StoreUnavailable if the file or its folder is read-only, or the disk is full."""
        if not (os.access(self._main, os.W_OK) and os.access(self._folder, os.W_OK)):
            raise StoreUnavailable("the database file or its folder is read-only")
        if hasattr(os, "statvfs"):  # not on Windows
            disk = os.statvfs(self._folder)
            if disk.f_bavail * disk.f_frsize < MIN_FREE_BYTES:
                raise StoreUnavailable("the disk of the database is full")

    def _current(self) -> OpenFiles:
        return OpenFiles(*(_identity(f"{self._main}{suffix}") for suffix in ("", "-wal", "-shm")))


def _includes(current: OpenFiles, opened: OpenFiles) -> bool:
    """Whether all open files are in their places."""
    return all(before in (None, now) for now, before in zip(current, opened, strict=True))


def _identity(path: str) -> Identity:
    try:
        found = os.stat(path)  # noqa: PTH116  a Path costs as much again
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _moved() -> StoreUnavailable:
    return StoreUnavailable(
        "its SQLite file, or the -wal or -shm file beside it, was moved, deleted or replaced while this "
        "program has it open. Put the file back, or restart the program"
    )
