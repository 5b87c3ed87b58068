"""Opens the files that commands read, which must be regular: a pipe or a device may wait for ever."""

import errno
import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

STANDARD_INPUT = Path("-")
KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. Raises OSError, also for anything else of this name."""
    require_regular(path, path.stat().st_mode)
    # Another file may have taken its place since. Without O_NONBLOCK, opening a named pipe would wait.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        require_regular(path, os.fstat(descriptor).st_mode)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def open_input(path: Path) -> BinaryIO:
    """As `open_regular`, but `-` is standard input."""
    return sys.stdin.buffer if path == STANDARD_INPUT else open_regular(path)


def require_regular(path: Path, mode: int) -> None:
    """Raise OSError if the mode is not that of a regular file."""
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.S_IFMT(mode), "something else")
        raise OSError(errno.EINVAL, f"Is {kind}, not a regular file", str(path))
