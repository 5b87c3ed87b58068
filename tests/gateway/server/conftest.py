"""Fixtures: a real server, with short times, for tests that write bytes to it."""

from collections.abc import Iterator

import pytest

from tests.gateway.gateway_world import a_key, a_world, started, with_store
from tests.gateway.server.raw import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with short times for heads, bodies and readers, and its administrator's key."""
    folder = tmp_path_factory.mktemp("raw")
    file = folder / "uplift.sqlite"
    with_store(file, a_world)
    _, key = a_key(file)
    with started(
        "serve",
        "--port=0",
        "--metrics-port=0",
        folder=folder,
        UPLIFT_DATABASE_URL=f"sqlite:///{file}",
        UPLIFT_MAX_HEAD_SECONDS="1",
        UPLIFT_MAX_BODY_SECONDS="1",
        UPLIFT_MAX_SEND_SECONDS="1",
        UPLIFT_LOG_FORMAT="json",
    ) as program:
        yield Server(program, key)
        assert key not in program.output + program.errors
        assert "Traceback" not in program.errors
