"""Fixtures: a Camunda 7 in place of the Operaton that other tests share."""

from collections.abc import Iterator

import pytest

from tests.support.long_mode import IS_LONG
from tests.support.operaton import Operaton, started
from tests.support.project import ROOT

PROJECT = ROOT / "tests" / "engines" / "camunda"
"""The Maven project."""


@pytest.fixture(scope="session")
def the_operaton() -> Iterator[Operaton]:
    if not IS_LONG:
        pytest.skip("takes long, and rarely fails: UPLIFT_FAULTS=long")
    properties = {
        "server.address": "127.0.0.1",
        "server.port": 0,
        "spring.datasource.url": "jdbc:h2:mem:engine;DB_CLOSE_DELAY=-1",
        "spring.jersey.application-path": "/engine-rest",
        "camunda.bpm.job-execution.enabled": "false",
    }
    with started(PROJECT, properties, path="/engine-rest") as engine:
        yield engine
