"""Reads lists of versions and instances, page by page, and checks their form."""

from collections.abc import Mapping, Sequence
from typing import Any

from uplift.domain.model.process import VersionNumber
from uplift.domain.ports.process_engine import (
    EngineCursor,
    EngineFault,
    EngineFaultKind,
    EngineInstanceId,
    EngineVersion,
    EngineVersionId,
)
from uplift.engines.client import EngineClient, Reply

MAX_LOCATED = 500
"""How many instances one request looks up."""


class Page:
    """A page of a list by its first row. The rows shift if others are removed while the list is read."""

    def __init__(self, after: EngineCursor | None, size: int) -> None:
        self.first = 0 if after is None else int(after)
        self.size = size

    @property
    def query(self) -> dict[str, str | int]:
        """The parameters of the request."""
        return {"sortOrder": "asc", "firstResult": self.first, "maxResults": self.size}

    def next(self, rows: Sequence[object]) -> EngineCursor | None:
        """Where the next page begins; None after the last. A page with fewer rows is the last."""
        return EngineCursor(str(self.first + len(rows))) if len(rows) >= self.size else None


async def locate(
    client: EngineClient, ids: Sequence[EngineInstanceId]
) -> dict[EngineInstanceId, EngineVersionId | None]:
    """The version on which each instance is; None for one that the engine does not have."""
    found: dict[EngineInstanceId, EngineVersionId | None] = dict.fromkeys(ids)
    unique = list(found)
    for start in range(0, len(unique), MAX_LOCATED):
        some = unique[start : start + MAX_LOCATED]
        reply = await client.request(
            "POST",
            "/process-instance",
            query={"firstResult": 0, "maxResults": len(some)},
            body={"processInstanceIds": some},
        )
        for row in rows_of(reply):
            instance_id = EngineInstanceId(text_of(reply, row, "id"))
            if instance_id in found:
                found[instance_id] = EngineVersionId(text_of(reply, row, "definitionId"))
    return found


def instances_in(reply: Reply, version: EngineVersionId) -> tuple[EngineInstanceId, ...]:
    """The instances of a page, all of which must be on this version."""
    ids = []
    for row in rows_of(reply):
        if text_of(reply, row, "definitionId") != version:
            raise reply.unexpected("it lists instances of other versions than the one in question")
        ids.append(EngineInstanceId(text_of(reply, row, "id")))
    return tuple(ids)


def version_in(reply: Reply, row: Mapping[str, Any]) -> EngineVersion:
    """A definition of a process as a version."""
    number = row.get("version")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise reply.unexpected("a definition has no number as 'version'")
    return EngineVersion(
        id=EngineVersionId(text_of(reply, row, "id")),
        key=text_of(reply, row, "key"),
        number=VersionNumber(number),
        name=optional_text_of(row, "name"),
        tenant=optional_text_of(row, "tenantId"),
    )


def rows_of(reply: Reply) -> list[Mapping[str, Any]]:
    """The objects of a list. Raises EngineFault if the reply is an error, or no list of objects."""
    require_success(reply)
    rows = reply.json()
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise reply.unexpected("it is no list of objects")
    return rows


def object_of(reply: Reply) -> Mapping[str, Any]:
    """The object in a reply. Raises EngineFault if the reply is an error, or no object."""
    require_success(reply)
    value = reply.json()
    if not isinstance(value, dict):
        raise reply.unexpected("it is no object")
    return value


def text_of(reply: Reply, row: Mapping[str, Any], name: str) -> str:
    """A field that has a text."""
    value = row.get(name)
    if not isinstance(value, str):
        raise reply.unexpected(f"it has no text as '{name}'")
    return value


def optional_text_of(row: Mapping[str, Any], name: str) -> str | None:
    """A field that may have a text."""
    value = row.get(name)
    return value if isinstance(value, str) else None


def require_success(reply: Reply) -> None:
    """Raise the fault of a reply with an error."""
    if reply.status < 400:
        return
    if not reply.is_json and reply.status < 500:
        reply.json()
    raise EngineFault(
        EngineFaultKind.FAILED,
        f"Expected an answer to {reply.request}, but the engine answers {reply.status} "
        f"({reply.message or 'without a message'}).",
    )
