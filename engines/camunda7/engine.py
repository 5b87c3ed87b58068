"""Implements ProcessEngine on the REST API of Camunda 7 and its descendants."""

import asyncio
from collections.abc import Mapping, Sequence, Set

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
from uplift.engines.camunda7.description import describe
from uplift.engines.camunda7.lists import Page, instances_in, limit_in, locate, version_in
from uplift.engines.camunda7.models import document_of
from uplift.engines.camunda7.moves import MoveRequest
from uplift.engines.camunda7.multi_instance import bodies_in, partly_done, renames_body
from uplift.engines.camunda7.objections import objections_in
from uplift.engines.camunda7.plans import migration_plan
from uplift.engines.camunda7.rights import require_sight
from uplift.engines.client import EngineClient, Reply
from uplift.engines.replies import rows_of
from uplift.engines.transport import Timeouts

TRAITS = EngineTraits(checks_source=True, checks_position=True, is_atomic=True, max_size=100, concurrency=2)
"""Two synchronous requests of 100 instances at a time: more and larger ones are hardly faster."""
PAGE_SIZE = 5_000
"""How many instances or versions one request lists."""


class Camunda7Engine:
    """Implements ProcessEngine. `url` is the base of the REST API, such as `http://host:8080/engine-rest`.

    With `tenant` it lists the versions of this tenant only, otherwise those of none. The engine moves the
    instances of a request together or not at all, and checks that each is where the plan says.
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
        self._has_credentials = credentials is not None
        self._tenant = tenant
        self._page_size = page_size
        self._bodies: tuple[MovePlan, Set[str]] | None = None  # of the latest plan that needed them

    @property
    def traits(self) -> EngineTraits:
        return TRAITS

    async def describe(self) -> EngineDescription:
        return await describe(self._client, checks_rights=self._has_credentials)

    async def versions(self, after: EngineCursor | None = None) -> EnginePage[EngineVersion]:
        tenant = {"withoutTenantId": "true"} if self._tenant is None else {"tenantIdIn": self._tenant}
        page, reply = await self._page("/process-definition", {"sortBy": "id", **tenant}, after)
        rows = rows_of(reply)
        versions = (version_in(reply, row) for row in rows)
        # A tenant with a comma in its name reads like several: those are not linked.
        mine = tuple(version for version in versions if version.tenant == self._tenant)
        return EnginePage(items=mine, next=page.next(rows))

    async def model(self, version: EngineVersionId) -> bytes:
        return await document_of(self._client, version)

    async def instances(
        self, version: EngineVersionId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        return await self._instances(version, {}, after)

    async def waiting(
        self, version: EngineVersionId, element: ElementId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        # Lists every token, also of failed jobs and at joins, which other views of the engine leave out.
        return await self._instances(version, {"activityIdIn": element}, after)

    async def locate(
        self, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, EngineVersionId | None]:
        located = await locate(self._client, ids)
        if self._has_credentials and located and not any(located.values()):
            await require_sight(self._client)
        return located

    async def objections(self, plan: MovePlan) -> tuple[Objection, ...]:
        reply = await self._client.request("POST", "/migration/validate", body=migration_plan(plan))
        return objections_in(reply)

    async def move(
        self, plan: MovePlan, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, Refusal | None]:
        TRAITS.require_size(ids)
        refusals = await self._partly_done(plan, ids)
        sent = [instance_id for instance_id in ids if instance_id not in refusals]
        return {**refusals, **await MoveRequest(self._client, plan, sent).send()}

    async def close(self) -> None:
        await self._client.close()

    async def _partly_done(
        self, plan: MovePlan, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, Refusal]:
        """The refusals of instances that the engine would harm."""
        if not ids or not any(renames_body(instruction) for instruction in plan.instructions):
            return {}
        if self._bodies is None or self._bodies[0] != plan:
            # A large document takes a second to read, in which other tasks of the event loop go on.
            bodies = await asyncio.to_thread(bodies_in, plan, await self.model(plan.source))
            self._bodies = plan, bodies
        _, bodies = self._bodies
        return await partly_done(self._client, bodies, ids) if bodies else {}

    async def _instances(
        self, version: EngineVersionId, query: Mapping[str, str], after: EngineCursor | None
    ) -> EnginePage[EngineInstanceId]:
        query = {"processDefinitionId": version, "sortBy": "instanceId", **query}
        page, reply = await self._page("/process-instance", query, after)
        ids = instances_in(reply, version)
        return EnginePage(items=ids, next=page.next(ids))

    async def _page(
        self, path: str, query: Mapping[str, str], after: EngineCursor | None
    ) -> tuple[Page, Reply]:
        """Read a page, in the size that the engine allows."""
        while True:
            page = Page(after, self._page_size)
            reply = await self._client.request("GET", path, query={**query, **page.query})
            limit = limit_in(reply, self._page_size)
            if limit is None:
                return page, reply
            self._page_size = limit
