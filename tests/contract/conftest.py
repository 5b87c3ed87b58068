"""Each test of the contract runs on every store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.ports import Store
from tests.support.stores import STORES, an_open_store


@pytest.fixture(params=STORES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store."""
    async with an_open_store(request.param, tmp_path / "uplift.db") as opened:
        yield opened
