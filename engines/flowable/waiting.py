"""Lists the instances that wait at an element of a version.

Flowable filters instances by their active activities. Among these are subprocesses and boundary events, at
which nothing waits. Not among them are tokens at a joining gateway, and those in a job before an element,
even if it has failed. So the model of the version decides how to ask.
"""

from collections.abc import Awaitable, Callable
from enum import Enum, auto

from uplift.domain.bounded_cache import BoundedCache
from uplift.domain.bpmn import read_model
from uplift.domain.compatibility.wait_states import JOINING_GATEWAYS, is_position_element
from uplift.domain.errors import InvalidModel
from uplift.domain.model.instance import ElementId
from uplift.domain.model.process import VersionModel
from uplift.domain.ports.process_engine import (
    EngineCursor,
    EngineInstanceId,
    EnginePage,
    EngineVersionId,
)
from uplift.engines.client import EngineClient
from uplift.engines.flowable.lists import Rows, instances_in, read_rows
from uplift.engines.replies import text_of

CACHED_BYTES = 16 * 1024 * 1024
"""The most bytes of documents whose elements are remembered."""
MAX_EXECUTIONS = 100_000
"""The most executions of one instance that are read at once."""


class Ask(Enum):
    """How to ask for the instances that wait at an element."""

    NOT = auto()
    """Nothing waits there."""
    ACTIVE = auto()
    """By the active activities of instances."""
    EXECUTIONS = auto()
    """By all executions of the version."""


Questions = dict[ElementId, Ask]


class WaitingInstances:
    """The instances of versions by the elements at which they wait."""

    def __init__(
        self,
        client: EngineClient,
        page_size: int,
        read: Callable[[EngineVersionId], Awaitable[VersionModel]],
    ) -> None:
        self._client = client
        self._read = read
        self._page_size = page_size
        self._known: BoundedCache[EngineVersionId, Questions] = BoundedCache(CACHED_BYTES)

    async def at(
        self, version: EngineVersionId, element: ElementId, after: EngineCursor | None
    ) -> EnginePage[EngineInstanceId]:
        """A page of the instances that wait at the element."""
        first = 0 if after is None else int(after)
        match (await self._questions(version)).get(element, Ask.ACTIVE):
            case Ask.NOT:
                return EnginePage(items=())
            case Ask.ACTIVE:
                query = {"processDefinitionId": version, "activeActivityId": element}
                page = await read_rows(
                    self._client,
                    "/query/process-instances",
                    query,
                    sort="id",
                    first=first,
                    size=self._page_size,
                )
                return EnginePage(items=instances_in(page, version), next=page.next)
            case Ask.EXECUTIONS:
                return await self._by_executions(version, element, first)

    async def _questions(self, version: EngineVersionId) -> Questions:
        known = self._known.get(version)
        if known is None:
            model = await self._read(version)
            known = _questions_of(model)
            self._known.put(version, known, len(model.document))
        return known

    async def _by_executions(
        self, version: EngineVersionId, element: ElementId, first: int
    ) -> EnginePage[EngineInstanceId]:
        page = await self._whole_instances(version, first)
        found = {
            EngineInstanceId(text_of(page.reply, row, "processInstanceId")): None
            for row in page.rows
            if row.get("activityId") == element
        }
        return EnginePage(items=tuple(found), next=page.next)

    async def _whole_instances(self, version: EngineVersionId, first: int) -> Rows:
        """A page of executions that ends with the last one of an instance.

        Executions can be sorted by instance only, so those of one instance come in any order. A page that cut
        them in two could show one of them twice, and another one never.
        """
        size = self._page_size
        while True:
            page = await read_rows(
                self._client,
                "/query/executions",
                {"processDefinitionId": version},
                sort="processInstanceId",
                first=first,
                size=size,
            )
            if page.next is None:
                return page
            last = page.rows[-1].get("processInstanceId")
            whole = [row for row in page.rows if row.get("processInstanceId") != last]
            if whole:
                return page._replace(rows=whole)
            if size >= MAX_EXECUTIONS:
                return page
            size *= 2


def _questions_of(version: VersionModel) -> Questions:
    """How to ask for each element of a model; nothing for one that cannot be read."""
    try:
        model = read_model(version.document, process_id=version.process_id)
    except InvalidModel:
        return {}
    return {
        ElementId(element.id): Ask.NOT
        if not is_position_element(element, model)
        else (Ask.EXECUTIONS if element.waits or element.kind in JOINING_GATEWAYS else Ask.ACTIVE)
        for element in model.elements.values()
    }
