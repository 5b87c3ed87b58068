"""Runs the contract of an adapter on the engine in memory, like Camunda 7 and like Flowable."""

import pytest

from uplift.testing.engine import *
from uplift.testing.engine.fake import LIKE_CAMUNDA_7, LIKE_CAMUNDA_8, LIKE_FLOWABLE, FakeEngine, FakeHarness


@pytest.fixture(
    params=[LIKE_CAMUNDA_7, LIKE_CAMUNDA_8, LIKE_FLOWABLE],
    ids=["like Camunda 7", "like Camunda 8", "like Flowable"],
)
def harness(request: pytest.FixtureRequest) -> FakeHarness:
    return FakeHarness(FakeEngine(request.param, page_size=3))
