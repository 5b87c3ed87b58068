"""Implements EngineHarness on a running Operaton, or on another engine with the REST API of Camunda 7."""

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx2

from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import EngineInstanceId, EngineVersionId
from uplift.engines.camunda7 import Camunda7Engine
from uplift.testing.engine.documents import a_document, chain
from uplift.testing.engine.harness import a_process_key

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Saves each client the time to load certificates."""


CALLED_AT_ONCE = 200
"""How many instances one call activity starts. The engine's time for it grows with the square."""


class OperatonHarness:
    """The adapter, with small pages, and `call`: any request to the engine itself."""

    has_dry_run = True
    lists_joins = True

    def __init__(self, url: str, engine: Camunda7Engine, client: httpx2.AsyncClient) -> None:
        self.url = url
        self.engine = engine
        self._client = client

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator[Self]:
        """A harness of the engine at this URL."""
        engine = Camunda7Engine(url, page_size=3)
        try:
            async with httpx2.AsyncClient(base_url=url, timeout=60, verify=NO_TLS) as client:
                yield cls(url, engine, client)
        finally:
            await engine.close()

    async def call(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """Send a request, which must succeed; returns the JSON of its answer, or None."""
        reply = await self._client.request(method, path, json=body, params=_texts(query))
        assert reply.is_success, reply.text
        return reply.json() if reply.content else None

    async def deploy(self, key: str, document: bytes, *, tenant: str | None = None) -> EngineVersionId:
        files = {"data": (f"{key}.bpmn", document)}
        fields = {"deployment-name": key} | ({} if tenant is None else {"tenant-id": tenant})
        reply = await self._client.post("/deployment/create", files=files, data=fields)
        assert reply.is_success, reply.text
        [version] = [
            version
            for version, definition in reply.json()["deployedProcessDefinitions"].items()
            if definition["key"] == key
        ]
        return EngineVersionId(version)

    async def start(
        self, version: EngineVersionId, count: int = 1, **variables: object
    ) -> Sequence[EngineInstanceId]:
        body = {"variables": {name: {"value": value} for name, value in variables.items()}}
        return [
            EngineInstanceId((await self.call("POST", f"/process-definition/{version}/start", body))["id"])
            for _ in range(count)
        ]

    async def start_many(self, key: str, count: int) -> None:
        """Start many instances of version 1 of a process, in hundreds: call activities call them."""
        caller = a_process_key()
        loop = f"<loopCardinality>{CALLED_AT_ONCE}</loopCardinality>"
        call = f'<callActivity id="call" calledElement="{key}" camunda:calledElementBinding="version"'
        document = chain(
            f'{call} camunda:calledElementVersion="1"><multiInstanceLoopCharacteristics>{loop}'
            "</multiInstanceLoopCharacteristics></callActivity>"
        )
        await self.start(await self.deploy(caller, a_document(caller, document)), count // CALLED_AT_ONCE)

    async def complete(self, instance: EngineInstanceId, element: ElementId) -> None:
        tasks = await self.call("GET", "/task", processInstanceId=instance, taskDefinitionKey=element)
        for task in tasks:
            await self.call("POST", f"/task/{task['id']}/complete", {})

    async def suspend(self, instance: EngineInstanceId) -> None:
        await self.call("PUT", f"/process-instance/{instance}/suspended", {"suspended": True})

    async def cancel(self, instance: EngineInstanceId) -> None:
        await self.call("DELETE", f"/process-instance/{instance}")


def _texts(query: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in query.items()}
