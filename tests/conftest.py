"""How all tests run: async ones on asyncio, hypothesis the same way each time."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

from tests.support.stores import Stores

settings.register_profile("uplift", derandomize=True, max_examples=30, deadline=None)
settings.load_profile("uplift")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
async def stores(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stores]:
    """Empty stores of each kind. Their connections stay open, and so does the event loop of all tests."""
    several = Stores(tmp_path_factory.mktemp("stores"))
    yield several
    await several.close()
