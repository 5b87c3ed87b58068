"""Fixtures: each test of the gateway has a folder of its own, and none of the developer's settings."""

import asyncio
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.gateway.gateway_world import Place, a_world, url_of, with_store
from tests.support.copies import Copy, copy_of, restore
from tests.support.postgres import the_server
from tests.support.stores import SERVED


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty working directory."""
    for name in os.environ:
        if name.startswith("UPLIFT_") or name == "COLUMNS":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Restores the log's configuration, which a command changes."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file that holds the world of gateway_world, and that no test changes."""
    file = tmp_path_factory.mktemp("template") / "uplift.sqlite"
    with_store(file, a_world)
    return file


@pytest.fixture(scope="session")
def rows(template: Path) -> Copy:
    """What the tables of that file contain."""
    return with_store(template, lambda store: copy_of(store.database))


@pytest.fixture
def file(folder: Path, template: Path) -> Path:
    """An SQLite file in the default place, which holds the world of gateway_world."""
    return Path(shutil.copy(template, folder))


@pytest.fixture(params=SERVED)
def empty(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An empty database of each kind. Commands and programs use it by default."""
    if request.param == "sqlite":
        yield folder / "uplift.sqlite"
        return
    with asyncio.Runner() as runner:
        lent = the_server().database()
        url = runner.run(lent.__aenter__())
        monkeypatch.setenv("UPLIFT_DATABASE_URL", url_of(url))
        yield url
        runner.run(lent.__aexit__(None, None, None))


@pytest.fixture
def database(empty: Place, template: Path, rows: Copy) -> Place:
    """As `empty`, but it holds the world of gateway_world."""
    if isinstance(empty, Path):
        return Path(shutil.copy(template, empty))
    with_store(empty, lambda store: restore(rows, store.database))
    return empty
