"""Implements ProcessEngine on the REST API of Flowable 7."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from uplift.domain.model.instance import ElementId
from uplift.domain.model.link import Credentials
from uplift.domain.model.process import VersionModel
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
from uplift.engines.client import EngineClient
from uplift.engines.flowable.lists import instances_in, locate, read_rows, rows_in, version_in
from uplift.engines.flowable.moves import move_one
from uplift.engines.flowable.waiting import WaitingInstances
from uplift.engines.replies import object_of, require_success, text_of
from uplift.engines.transport import Timeouts

TRAITS = EngineTraits(checks_source=False, checks_position=False, is_atomic=True, max_size=1, concurrency=2)
"""A request moves one instance, wherever it is: not even its process is checked."""
PAGE_SIZE = 2_000
"""How many instances or versions one request lists."""


class FlowableEngine:
    """Implements ProcessEngine. `url` is the base of the REST API, such as `http://host:8080/process-api`.

    With `tenant` it lists the versions of this tenant only, otherwise those of none. The engine does not
    check on which version an instance is, so ask `locate` before each move. It has no dry run.
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
        self._tenant = tenant
        self._page_size = page_size
        self._waiting = WaitingInstances(self._client, page_size, self._version_model)

    @property
    def traits(self) -> EngineTraits:
        return TRAITS

    async def describe(self) -> EngineDescription:
        reply = await self._client.request("GET", "/management/engine")
        if reply.status == 404:
            raise reply.unexpected("there is none: this is not the REST API of Flowable")
        return EngineDescription(
            product="Flowable",
            version=text_of(reply, object_of(reply), "version"),
            clock=reply.clock,
        )

    async def versions(self, after: EngineCursor | None = None) -> EnginePage[EngineVersion]:
        first = 0 if after is None else int(after)
        tenant = {"withoutTenantId": "true"} if self._tenant is None else {"tenantId": self._tenant}
        reply = await self._client.request(
            "GET",
            "/repository/process-definitions",
            query={"sort": "id", "order": "asc", "start": first, "size": self._page_size, **tenant},
        )
        page = rows_in(reply, first)
        versions = (version_in(reply, row) for row in page.rows)
        mine = tuple(version for version in versions if version.tenant == self._tenant)
        return EnginePage(items=mine, next=page.next)

    async def model(self, version: EngineVersionId) -> bytes:
        reply = await self._client.request("GET", f"{_path(version)}/resourcedata")
        require_success(reply)
        return reply.body

    async def instances(
        self, version: EngineVersionId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        page = await read_rows(
            self._client,
            "/query/process-instances",
            {"processDefinitionId": version},
            sort="id",
            first=0 if after is None else int(after),
            size=self._page_size,
        )
        return EnginePage(items=instances_in(page, version), next=page.next)

    async def waiting(
        self, version: EngineVersionId, element: ElementId, after: EngineCursor | None = None
    ) -> EnginePage[EngineInstanceId]:
        return await self._waiting.at(version, element, after)

    async def locate(
        self, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, EngineVersionId | None]:
        return await locate(self._client, ids)

    async def objections(self, plan: MovePlan) -> tuple[Objection, ...]:  # noqa: ARG002  no dry run by REST
        return ()

    async def move(
        self, plan: MovePlan, ids: Sequence[EngineInstanceId]
    ) -> Mapping[EngineInstanceId, Refusal | None]:
        TRAITS.require_size(ids)
        return {instance_id: await move_one(self._client, plan, instance_id) for instance_id in ids}

    async def close(self) -> None:
        await self._client.close()

    async def _version_model(self, version: EngineVersionId) -> VersionModel:
        # Flowable leaves the key out of the id of a version if the id would be too long.
        reply = await self._client.request("GET", _path(version))
        key = text_of(reply, object_of(reply), "key")
        return VersionModel(document=await self.model(version), process_id=key)


def _path(version: EngineVersionId) -> str:
    return f"/repository/process-definitions/{quote(version, safe='')}"
