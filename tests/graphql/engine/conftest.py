"""What the engine's tests share: asyncio alone, as the server runs."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
