"""Implements EngineHarness on a running Flowable."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx2

from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import EngineInstanceId, EngineVersionId
from uplift.engines.flowable import FlowableEngine


class FlowableHarness:
    """The adapter, with small pages, and `call`: any request to the engine itself."""

    has_dry_run = False
    lists_joins = True

    def __init__(self, engine: FlowableEngine, client: httpx2.AsyncClient) -> None:
        self.engine = engine
        self._client = client

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        """A harness of the engine at this URL."""
        engine = FlowableEngine(url, page_size=3)
        async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
            yield cls(engine, client)
        await engine.close()

    async def call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        """Send a request, which must succeed; returns the JSON of its answer, or None."""
        reply = await self._client.request(method, path, json=body, params=query)
        assert reply.is_success, reply.text
        return reply.json() if reply.content else None

    async def deploy(self, key: str, document: bytes, *, tenant: str | None = None) -> EngineVersionId:
        fields = {} if tenant is None else {"tenantId": tenant}
        reply = await self._client.post(
            "/repository/deployments", files={"file": (f"{key}.bpmn20.xml", document)}, data=fields
        )
        assert reply.is_success, reply.text
        definitions = await self.call(
            "GET", "/repository/process-definitions", deploymentId=reply.json()["id"], key=key
        )
        return EngineVersionId(definitions["data"][0]["id"])

    async def start(
        self, version: EngineVersionId, count: int = 1, **variables: object
    ) -> Sequence[EngineInstanceId]:
        body = {
            "processDefinitionId": version,
            "variables": [{"name": name, "value": value} for name, value in variables.items()],
        }
        return [
            EngineInstanceId((await self.call("POST", "/runtime/process-instances", body))["id"])
            for _ in range(count)
        ]

    async def complete(self, instance: EngineInstanceId, element: ElementId) -> None:
        tasks = await self.call(
            "GET", "/runtime/tasks", processInstanceId=instance, taskDefinitionKey=element
        )
        for task in tasks["data"]:
            await self.call("POST", f"/runtime/tasks/{task['id']}", {"action": "complete"})

    async def suspend(self, instance: EngineInstanceId) -> None:
        await self.call("PUT", f"/runtime/process-instances/{instance}", {"action": "suspend"})

    async def cancel(self, instance: EngineInstanceId) -> None:
        await self.call("DELETE", f"/runtime/process-instances/{instance}")
