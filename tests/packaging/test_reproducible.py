"""A wheel or an sdist is the same, byte for byte, wherever and whenever it is built."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.distributions import Wheel, build

LONG_AGO = 1_000_000_000
"""Seconds since 1970: another time of change than that of any file of the tree."""


@pytest.fixture
def elsewhere(unpacked_sdist: Path, tmp_path: Path) -> Path:
    """The sources in another folder, with other times and permissions."""
    folder = Path(shutil.copytree(unpacked_sdist, tmp_path / "another" / "folder"))
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o700 if path.is_dir() or path.stat().st_mode & 0o100 else 0o600)
        os.utime(path, (LONG_AGO, LONG_AGO))
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder for what is built."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture(autouse=True)
def another_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Builds in another time zone, for a user whose files nobody else reads."""
    monkeypatch.setenv("TZ", "Pacific/Chatham")
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_the_wheel_of_the_sdist_is_the_wheel_of_the_tree(wheel: Wheel, elsewhere: Path, out: Path) -> None:
    rebuilt = build("wheel", elsewhere, out)
    assert Wheel.of(rebuilt).contents == wheel.contents
    assert (rebuilt.name, rebuilt.read_bytes()) == (wheel.file.name, wheel.file.read_bytes())


def test_the_sdist_of_the_sdist_is_the_sdist_of_the_tree(sdist: Path, elsewhere: Path, out: Path) -> None:
    rebuilt = build("sdist", elsewhere, out)
    assert (rebuilt.name, rebuilt.read_bytes()) == (sdist.name, sdist.read_bytes())
