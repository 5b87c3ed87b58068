"""One gateway for all tools of a session."""

import os
from collections.abc import Iterator

import pytest

from tests.conformance.real_gateway import Gateway, served_gateway

IS_LONG = os.environ.get("UPLIFT_FAULTS") == "long"


@pytest.fixture(scope="session")
def is_long() -> bool:
    """Whether to try for as long as it takes: UPLIFT_FAULTS=long."""
    return IS_LONG


@pytest.fixture(scope="session")
def session_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with served_gateway(tmp_path_factory.mktemp("conformance")) as gateway:
        yield gateway


@pytest.fixture
def gateway(session_gateway: Gateway) -> Iterator[Gateway]:
    """A gateway on a database that has something to tell; it must be well after each test."""
    yield session_gateway
    session_gateway.must_be_well()
