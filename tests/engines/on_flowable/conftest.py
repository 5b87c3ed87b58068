"""Fixtures: one Flowable for all tests of its adapter."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.engines.flowable_harness import FlowableHarness
from tests.support.flowable import flowable
from tests.support.operaton import Operaton


@pytest.fixture(scope="session")
def the_flowable() -> Iterator[Operaton]:
    """The Flowable that all tests share. It keeps its data in memory."""
    with flowable() as started:
        yield started


@pytest.fixture
async def harness(the_flowable: Operaton) -> AsyncIterator[FlowableHarness]:
    """The adapter to the shared Flowable, with small pages, and other ways to it."""
    async with FlowableHarness.open(the_flowable.url) as harness:
        yield harness
