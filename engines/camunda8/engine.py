"""Implements ProcessEngine on the REST API of Camunda 8.8, under `/v2`.

It follows the published OpenAPI document, and has not run against the vendor's server.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import quote

from uplift.domain.model.instance import ElementId
from uplift.domain.model.link import Credentials
from uplift.domain.ports.process_engine import (
    EngineCursor,
    EngineDescription,
    EngineInstanceId,
    EnginePage,
    EngineTraits,
    EngineVersion,
    EngineVersionId,
    MovePlan,
    Objection,
    Refusal,
)
from uplift.engines.camunda8.lists import Query, instances_in, locate, read_rows, version_in, waiting_in
from uplift.engines.camunda8.moves import move_one
from uplift.engines.client import EngineClient
from uplift.engines.replies import object_of, require_success, text_of
from uplift.engines.transport import Timeouts

TRAITS = EngineTraits(
    checks_source=False,
    checks_position=True,
    is_atomic=True,
    max_size=1,
    concurrency=4,
    settles_after=timedelta(seconds=10),
)
"""A request moves one instance, on whichever version it is, if all its active elements are mapped.

Lists and searches are read from a second storage, which follows the brokers after some seconds. The API gives
no bound: by default exporters write every 5 seconds, and indices are refreshed every second.
"""
PAGE_SIZE = 5_000
"""How many items one request lists. Camunda 8 allows 10,000."""
NO_TENANT = "<default>"
"""The tenant of what belongs to none."""
OLDEST = (8, 8)
"""The first version with all requests that Uplift sends."""

_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})(?:\D|$)")


class Camunda8Engine:
    """Implements ProcessEngine. `url` is the base of the REST API, such as `http://host:8080/v2`.

    With `tenant` it lists the versions of this tenant only, otherwise those of the tenant `<default>`. The
    engine does not check on which version an instance is: ask `locate` before each move. It has no dry run.
    """

    def __init__(
        self,
        url: str,
        *,
        tenant: str | None = None,
        credentials: Credentials | None = None,
        timeouts: Timeouts | None = None,
        page_size: int = PAGE_SIZE,
    ) -> None:
        self._client = EngineClient(url, credentials=credentials, timeouts=timeouts)
        self._tenant = NO_TENANT if tenant is None else tenant
        self._page_size = page_size

    @property
    def traits(self) -> EngineTraits:
        return TRAITS

    async def describe(self) -> EngineDescription:
        reply = await self._client.request("GET", "/topology")
        if reply.status == 404:
            raise reply.unexpected("there is none: this is not the REST API of Camunda 8")
        version = text_of(reply, object_of(reply), "gatewayVersion")
        return EngineDescription(
            product="Camunda 8",
            version=version,
            clock=reply.clock,
            problems=_problems(version),
        )

    async def versions(self, after: EngineCursor | None = None) -> EnginePage[EngineVersion]:
        query = Query("/process-definitions/search", {"tenantId": self._tenant}, ("processDefinitionKey",))
        page = await read_rows(self._client, query, after, self._page_size)
        versions = (version_in(page.reply, row, NO_TENANT) for row in page.rows)
        tenant = None if self._tenant == NO_TENANT else self._tenant
        return EnginePage(
            items=tuple(version for version in versions if version.tenant == tenant), next=page.next
        )

    async def model(self, version: EngineVersionId) -> bytes:
        reply = await self._client.request(
            "GET",
            f"/process-definitions/{quote(version, safe='')}/xml",
            # The server answers 406 to who does not accept the only form that a model has.
            accept="text/xml, application/problem+json",
        )
        require_success(reply)
        if reply.status != 200 or not reply.content_type.endswith("/xml"):
            raise reply.unexpected("it is no model")
        return reply.body

    async def instances(
        self, version: EngineVersionId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        of_version = {"processDefinitionKey": version, "state": "ACTIVE"}
        query = Query("/process-instances/search", of_version, ("processInstanceKey",))
        page = await read_rows(self._client, query, after, self._page_size)
        return EnginePage(items=instances_in(page, version), next=page.next)

    async def waiting(
        self, version: EngineVersionId, element: ElementId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        return await waiting_in(self._client, version, element, after, self._page_size)

    async def locate(
        self, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, EngineVersionId | None]:
        return await locate(self._client, ids)

    async def objections(self, plan: MovePlan) -> tuple[Objection, ...]:  # noqa: ARG002  no dry run
        return ()

    async def move(
        self, plan: MovePlan, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, Refusal | None]:
        TRAITS.require_size(ids)
        return {instance_id: await move_one(self._client, plan, instance_id) for instance_id in ids}

    async def close(self) -> None:
        await self._client.close()


def _problems(version: str) -> tuple[str, ...]:
    found = _VERSION.match(version)
    if found is not None and (int(found[1]), int(found[2])) >= OLDEST:
        return ()
    return (f"Expected Camunda {OLDEST[0]}.{OLDEST[1]} or newer, but its gateway is '{version}'.",)
