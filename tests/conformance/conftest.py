"""Fixtures: one gateway for all tools of a session."""

from asyncio import Runner
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conformance.real_gateway import Gateway, served_gateway
from tests.support.postgres import the_server


@pytest.fixture(scope="session")
def session_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway on an SQLite file."""
    with served_gateway(tmp_path_factory.mktemp("conformance")) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def postgres_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The same on a PostgreSQL database, which is emptied afterwards."""
    folder = tmp_path_factory.mktemp("conformance-postgres")
    with Runner() as runner, ExitStack() as stack:
        database = the_server().database()
        url = runner.run(database.__aenter__())
        stack.callback(lambda: runner.run(database.__aexit__(None, None, None)))
        yield stack.enter_context(served_gateway(folder, url))


@pytest.fixture
def database() -> str:
    """The kind of the gateway's database. A module that needs both overrides it."""
    return "SQLite"


@pytest.fixture
def gateway(database: str, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """A gateway with data, which must be healthy after each test."""
    name = "postgres_gateway" if database == "PostgreSQL" else "session_gateway"
    gateway: Gateway = request.getfixturevalue(name)
    begin = len(gateway.program.errors)
    yield gateway
    gateway.must_be_well(since=begin)
