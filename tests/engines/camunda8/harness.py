"""Implements EngineHarness on the fake server."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self

from tests.engines.camunda8.fake_server import FakeServer
from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import EngineInstanceId, EngineVersionId
from uplift.engines.camunda8 import Camunda8Engine


class Camunda8Harness:
    """The adapter, with small pages, and the server. All that they send must fit the published shapes."""

    has_dry_run = False
    lists_joins = False

    def __init__(self, engine: Camunda8Engine, server: FakeServer) -> None:
        self.engine = engine
        self.server = server

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Self]:
        """A harness of a server of its own."""
        async with FakeServer.open() as server:
            engine = Camunda8Engine(server.url, page_size=3)
            yield cls(engine, server)
            await engine.close()
            assert server.misfits == []

    async def deploy(self, key: str, document: bytes) -> EngineVersionId:
        return EngineVersionId(self.server.cluster.deploy(key, document))

    async def start(self, version: EngineVersionId, count: int = 1) -> Sequence[EngineInstanceId]:
        return [EngineInstanceId(self.server.cluster.start(version)) for _ in range(count)]

    async def complete(self, instance: EngineInstanceId, element: ElementId) -> None:
        self.server.cluster.complete(instance, element)

    async def suspend(self, instance: EngineInstanceId) -> None:
        """Camunda 8.8 cannot suspend an instance, so nothing changes."""

    async def cancel(self, instance: EngineInstanceId) -> None:
        self.server.cluster.cancel(instance)
