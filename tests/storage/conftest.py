"""An SQLite file, and the store on it."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from uplift.storage.store import SqlStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "uplift.db"


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with empty tables, which no test changes: making them takes longer than most tests."""

    async def make(file: Path) -> None:
        await (await SqlStore.open(file)).close()

    file = tmp_path_factory.mktemp("template") / "uplift.db"
    asyncio.run(make(file))
    return file


@pytest.fixture
async def store(file: Path, template: Path) -> AsyncIterator[SqlStore]:
    """An empty store on the file."""
    shutil.copyfile(template, file)
    opened = await SqlStore.open(file)
    yield opened
    await opened.close()


@pytest.fixture
async def neighbour(store: SqlStore, file: Path) -> AsyncIterator[SqlStore]:
    """Another store on the same file, as another program has it."""
    opened = await SqlStore.open(file)
    yield opened
    await opened.close()
