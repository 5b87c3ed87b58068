"""Reads lists of Flowable page by page: versions, instances and executions."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from uplift.domain.ports.process_engine import (
    EngineCursor,
    EngineInstanceId,
    EngineVersion,
    EngineVersionId,
)
from uplift.engines.client import EngineClient, Reply
from uplift.engines.replies import (
    ids_on_version,
    object_of,
    optional_text_of,
    put_versions,
    text_of,
    version_number_of,
)

MAX_LOCATED = 500
"""How many instances one request looks up."""


class Rows(NamedTuple):
    """A page of a list; `first` is the place of its first row, `total` the length of the list."""

    reply: Reply
    rows: Sequence[Mapping[str, Any]]
    first: int
    total: int

    @property
    def next(self) -> EngineCursor | None:
        """Where the next page begins; None after the last."""
        end = self.first + len(self.rows)
        return EngineCursor(str(end)) if self.rows and end < self.total else None


async def read_rows(
    client: EngineClient, path: str, query: Mapping[str, object], *, sort: str, first: int, size: int
) -> Rows:
    """Read a page of a list, in the order of a column. Rows shift if others are removed in between."""
    page = {"sort": sort, "order": "asc", "start": first, "size": size}
    reply = await client.request("POST", path, body={**query, **page})
    return rows_in(reply, first)


def rows_in(reply: Reply, first: int) -> Rows:
    """The page of a list in a reply."""
    content = object_of(reply)
    rows, total = content.get("data"), content.get("total")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise reply.unexpected("it has no list of objects as 'data'")
    if not isinstance(total, int):
        raise reply.unexpected("it has no number as 'total'")
    return Rows(reply, rows, first, total)


def instances_in(page: Rows, version: EngineVersionId) -> tuple[EngineInstanceId, ...]:
    """The instances of a page, all of which must be on this version: Flowable ignores unknown filters."""
    return ids_on_version(
        page.reply,
        page.rows,
        version,
        version_field="processDefinitionId",
        id_of=lambda row: text_of(page.reply, row, "id"),
    )


def version_in(reply: Reply, row: Mapping[str, Any]) -> EngineVersion:
    """A definition of a process as a version."""
    return EngineVersion(
        id=EngineVersionId(text_of(reply, row, "id")),
        key=text_of(reply, row, "key"),
        number=version_number_of(reply, row),
        name=optional_text_of(row, "name"),
        tenant=optional_text_of(row, "tenantId") or None,
    )


async def locate(
    client: EngineClient, ids: Sequence[EngineInstanceId]
) -> dict[EngineInstanceId, EngineVersionId | None]:
    """The version on which each instance is; None for one that the engine does not have."""
    found: dict[EngineInstanceId, EngineVersionId | None] = dict.fromkeys(ids)
    unique = list(found)
    for start in range(0, len(unique), MAX_LOCATED):
        some = unique[start : start + MAX_LOCATED]
        query = {"processInstanceIds": some}
        page = await read_rows(client, "/query/process-instances", query, sort="id", first=0, size=len(some))
        put_versions(found, page.reply, page.rows, version_field="processDefinitionId")
    return found
