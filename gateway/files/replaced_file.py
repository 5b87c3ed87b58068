"""Writes a file that appears under its name only when it is whole."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO


@contextmanager
def replaced_file(path: Path) -> Iterator[TextIO]:
    """A text file in UTF-8 that takes the place of `path` at the end of the block.

    If the block raises, `path` stays as it was. If the program is killed, a file `<name>.….part` remains
    beside it. What is no regular file, such as /dev/stdout or a FIFO, is written directly. Raises OSError,
    which names `path`.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8", newline="") as out:
                yield out
        else:
            with _part_of(path.resolve()) as out:
                yield out
    except OSError as error:
        # A failed write names no file, and a part one that nobody knows.
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _part_of(path: Path) -> Iterator[TextIO]:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as out:
            part.chmod(_mode_for(path))
            yield out
            out.flush()
            os.fsync(descriptor)  # otherwise a power cut could leave the new name without its content
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _mode_for(path: Path) -> int:
    """The permissions of the file that is replaced, else those that the process gives to new files."""
    with suppress(FileNotFoundError):
        return stat.S_IMODE(path.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
