"""Fixtures: one large database for all fault tests, and a copy of it for each."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.faults import postgres_world
from tests.faults.population import populate
from tests.support.postgres import Server, a_server, binaries


class Template(NamedTuple):
    """A database that no test changes, and its API key."""

    file: Path
    key: str


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    file = tmp_path_factory.mktemp("faults") / "untouched.sqlite"
    return Template(file, asyncio.run(populate(file)))


@pytest.fixture
def file(template: Template, tmp_path: Path) -> Iterator[Path]:
    """A copy of the database."""
    copy = tmp_path / "uplift.sqlite"
    shutil.copyfile(template.file, copy)
    yield copy
    for leftover in tmp_path.glob("uplift.sqlite*"):
        leftover.unlink()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server that a test may stop, if it starts it again."""
    if binaries() is None:
        pytest.skip("there is no PostgreSQL server: apt-get install postgresql")
    with closing(postgres_world.OBSERVER), a_server() as started:
        yield started


@pytest.fixture(scope="session")
def key(server: Server) -> str:
    """The API key of the database that is the template of all others."""
    return asyncio.run(postgres_world.populate(server))
