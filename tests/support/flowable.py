"""Builds and starts a real Flowable for tests: a Spring Boot program with its REST API, on H2."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.operaton import Operaton, started
from tests.support.project import ROOT

PROJECT = ROOT / "tests" / "engines" / "flowable"
"""The Maven project."""


@contextmanager
def flowable(*, database: Path | None = None, credentials: str = "") -> Iterator[Operaton]:
    """Runs Flowable at a free port, and kills it at the end. Skips the test if it cannot be built.

    It keeps its data in memory, or in the file `database`. It runs no jobs.
    """
    where = "mem:engine;DB_CLOSE_DELAY=-1" if database is None else f"file:{database}"
    properties = {
        "server.address": "127.0.0.1",
        "server.port": 0,
        "spring.datasource.url": f"jdbc:h2:{where}",
        "flowable.async-executor-activate": "false",
        "engine.credentials": credentials,
    }
    with started(PROJECT, properties, path="/process-api") as engine:
        yield engine
