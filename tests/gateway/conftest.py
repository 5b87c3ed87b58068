"""Each test of the gateway runs in a folder of its own, and knows nothing of the tester's own settings."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from gateway_world import a_world, with_store


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory, which is empty."""
    for name in os.environ:
        if name.startswith("UPLIFT_") or name == "COLUMNS":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Afterwards the log is as it was: a command sets it up for its own standard error."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def database(folder: Path) -> Path:
    """A database in the default place, which holds the world of gateway_world."""
    file = folder / "uplift.sqlite"
    with_store(file, a_world)
    return file
