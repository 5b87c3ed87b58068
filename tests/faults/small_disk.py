"""A disk of a few MiB that a test can fill."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class SmallDisk:
    """A mounted folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, *, spare: int = 0) -> None:
        """Take all space but the last `spare` bytes."""
        with suppress(OSError), self._ballast.open("wb", buffering=0) as ballast:
            while ballast.write(bytes(4_096)):
                pass
        if spare:
            with self._ballast.open("r+b") as ballast:
                ballast.truncate(self._ballast.stat().st_size - spare)

    def empty(self) -> None:
        self._ballast.unlink()


@contextmanager
def small_disk(folder: Path, *, mib: int) -> Iterator[SmallDisk]:
    """A disk in memory, mounted at a new folder. Skips the test if this user may not mount."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("may not mount a small disk")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", folder], check=True)
