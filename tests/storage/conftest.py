"""An SQLite file, and the store on it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from uplift.storage.store import SqlStore


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "uplift.db"


@pytest.fixture
async def store(file: Path) -> AsyncIterator[SqlStore]:
    """An empty store on the file."""
    opened = await SqlStore.open(file)
    yield opened
    await opened.close()


@pytest.fixture
async def neighbour(store: SqlStore, file: Path) -> AsyncIterator[SqlStore]:
    """Another store on the same file, as another program has it."""
    opened = await SqlStore.open(file)
    yield opened
    await opened.close()
