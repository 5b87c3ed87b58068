"""Fixtures: a fake Camunda 8 for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.engines.camunda8.harness import Camunda8Harness


@pytest.fixture
async def harness() -> AsyncIterator[Camunda8Harness]:
    """The adapter to a fake Camunda 8, with small pages."""
    async with Camunda8Harness.open() as harness:
        yield harness
