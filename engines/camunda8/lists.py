"""Reads lists of Camunda 8 page by page: versions, instances and elements at which they wait."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from uplift.domain.model.instance import ElementId
from uplift.domain.ports.process_engine import (
    EngineCursor,
    EngineInstanceId,
    EnginePage,
    EngineVersion,
    EngineVersionId,
)
from uplift.engines.camunda8.keys import is_key
from uplift.engines.client import EngineClient, Reply
from uplift.engines.replies import ids_on_version, object_of, optional_text_of, text_of, version_number_of

MAX_LOCATED = 500
"""How many instances one request looks up. Camunda 8 allows 1,000 values in a filter."""

_SCOPES = frozenset({"PROCESS", "SUB_PROCESS", "EVENT_SUB_PROCESS", "MULTI_INSTANCE_BODY"})
"""Types of elements that are active as long as something in them is. A body has the id of its activity."""


class Query(NamedTuple):
    """A search: its path, its filter, and the fields by which its rows are sorted."""

    path: str
    filter: Mapping[str, object]
    sort: Sequence[str]


class Rows(NamedTuple):
    """A page of a list; `next` is where the next one begins, None after the last."""

    reply: Reply
    rows: Sequence[Mapping[str, Any]]
    next: EngineCursor | None


async def read_rows(client: EngineClient, query: Query, after: str | None, size: int) -> Rows:
    """Read a page of a list, by the cursor at the end of the page before."""
    reply = await client.request(
        "POST",
        query.path,
        body={
            "filter": query.filter,
            "sort": [{"field": field, "order": "ASC"} for field in query.sort],
            "page": {"limit": size} if after is None else {"limit": size, "after": after},
        },
    )
    content = object_of(reply)
    rows, page = content.get("items"), content.get("page")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise reply.unexpected("it has no list of objects as 'items'")
    if not isinstance(page, dict):
        raise reply.unexpected("it has no object as 'page'")
    # The last page has a cursor, too. The total is of no use, because the server may cap it.
    if len(rows) < size:
        return Rows(reply, rows, None)
    end = text_of(reply, page, "endCursor")
    if end == after:
        raise reply.unexpected("its cursor leads to the same page again")
    return Rows(reply, rows, EngineCursor(end))


def version_in(reply: Reply, row: Mapping[str, Any], no_tenant: str) -> EngineVersion:
    """A definition of a process as a version; `no_tenant` is the tenant of those that belong to none."""
    tenant = text_of(reply, row, "tenantId")
    return EngineVersion(
        id=EngineVersionId(_key_of(reply, row, "processDefinitionKey")),
        key=text_of(reply, row, "processDefinitionId"),
        number=version_number_of(reply, row),
        name=optional_text_of(row, "name"),
        tenant=None if tenant == no_tenant else tenant,
    )


def instances_in(page: Rows, version: EngineVersionId) -> tuple[EngineInstanceId, ...]:
    """The instances of a page, all of which must be on this version."""
    return ids_on_version(
        page.reply,
        page.rows,
        version,
        version_field="processDefinitionKey",
        id_of=lambda row: _key_of(page.reply, row, "processInstanceKey"),
    )


async def waiting_in(
    client: EngineClient, version: EngineVersionId, element: ElementId, after: EngineCursor | None, size: int
) -> EnginePage[EngineInstanceId]:
    """A page of the instances of a version that wait at an element.

    The server lists each token. Tokens of one instance follow each other, so a cursor also names the last
    instance of its page, which the next page leaves out.
    """
    last, _, cursor = (after or "").partition(":")
    at_element = {"processDefinitionKey": version, "elementId": element, "state": "ACTIVE"}
    query = Query("/element-instances/search", at_element, ("processInstanceKey", "elementInstanceKey"))
    page = await read_rows(client, query, cursor or None, size)
    tokens = [row for row in page.rows if text_of(page.reply, row, "type") not in _SCOPES]
    items = tuple(dict.fromkeys(instances_in(page._replace(rows=tokens), version)))
    latest = items[-1] if items else last
    return EnginePage(
        items=tuple(item for item in items if item != last),
        next=None if page.next is None else EngineCursor(f"{latest}:{page.next}"),
    )


async def locate(
    client: EngineClient, ids: Sequence[EngineInstanceId]
) -> dict[EngineInstanceId, EngineVersionId | None]:
    """The version on which each instance is; None for one that has ended or is unknown."""
    found: dict[EngineInstanceId, EngineVersionId | None] = dict.fromkeys(ids)
    keys = [instance_id for instance_id in found if is_key(instance_id)]
    for start in range(0, len(keys), MAX_LOCATED):
        some = keys[start : start + MAX_LOCATED]
        active = {"processInstanceKey": {"$in": some}, "state": "ACTIVE"}
        query = Query("/process-instances/search", active, ("processInstanceKey",))
        # One row more than there can be: so this page is the last one.
        page = await read_rows(client, query, None, len(some) + 1)
        for row in page.rows:
            instance_id = EngineInstanceId(text_of(page.reply, row, "processInstanceKey"))
            if instance_id in found:
                found[instance_id] = EngineVersionId(_key_of(page.reply, row, "processDefinitionKey"))
    return found


def _key_of(reply: Reply, row: Mapping[str, Any], name: str) -> str:
    key = text_of(reply, row, name)
    if not is_key(key):
        raise reply.unexpected(f"it has no key as '{name}'")
    return key
