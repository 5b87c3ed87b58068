"""Reads lists of versions and instances, page by page, and checks their form."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from uplift.domain.ports.process_engine import (
    EngineCursor,
    EngineInstanceId,
    EngineVersion,
    EngineVersionId,
)
from uplift.engines.client import EngineClient, Reply
from uplift.engines.replies import (
    ids_on_version,
    optional_text_of,
    put_versions,
    rows_of,
    text_of,
    version_number_of,
)

MAX_LOCATED = 500
"""How many instances one request looks up."""

_LIMIT = re.compile(r"Max results limit of ([1-9][0-9]{0,6}) exceeded")


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
    remaining = list(found)
    size = MAX_LOCATED
    while remaining:
        some = remaining[:size]
        reply = await client.request(
            "POST",
            "/process-instance",
            query={"firstResult": 0, "maxResults": len(some)},
            body={"processInstanceIds": some},
        )
        if (limit := limit_in(reply, len(some))) is not None:
            size = limit
            continue
        put_versions(found, reply, rows_of(reply), version_field="definitionId")
        remaining = remaining[size:]
    return found


def limit_in(reply: Reply, size: int) -> int | None:
    """How many results the engine lists at most, if it refuses to list `size`; None otherwise.

    Operators can set such a limit for users (queryMaxResultsLimit).
    """
    limit = _LIMIT.search(reply.message)
    return int(limit[1]) if limit is not None and int(limit[1]) < size else None


def instances_in(reply: Reply, version: EngineVersionId) -> tuple[EngineInstanceId, ...]:
    """The instances of a page, all of which must be on this version."""
    return ids_on_version(
        reply,
        rows_of(reply),
        version,
        version_field="definitionId",
        id_of=lambda row: text_of(reply, row, "id"),
    )


def version_in(reply: Reply, row: Mapping[str, Any]) -> EngineVersion:
    """A definition of a process as a version."""
    return EngineVersion(
        id=EngineVersionId(text_of(reply, row, "id")),
        key=text_of(reply, row, "key"),
        number=version_number_of(reply, row),
        name=optional_text_of(row, "name"),
        tenant=optional_text_of(row, "tenantId"),
    )
