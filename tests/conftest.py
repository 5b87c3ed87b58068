"""How all tests run: async ones on asyncio, hypothesis the same way each time."""

import pytest
from hypothesis import settings

settings.register_profile("uplift", derandomize=True, max_examples=30, deadline=None)
settings.load_profile("uplift")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
