"""Fixtures: one Operaton for all tests of adapters."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.engines.operaton_harness import OperatonHarness
from tests.support.operaton import Operaton, operaton


@pytest.fixture(scope="session")
def the_operaton() -> Iterator[Operaton]:
    """The Operaton that all tests share. It keeps its data in memory."""
    with operaton() as started:
        yield started


@pytest.fixture
async def harness(the_operaton: Operaton) -> AsyncIterator[OperatonHarness]:
    """The adapter to the shared Operaton, with small pages, and other ways to it."""
    async with OperatonHarness.open(the_operaton.url) as harness:
        yield harness
