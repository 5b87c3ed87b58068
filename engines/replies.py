"""Reads objects and lists in replies of an engine, and checks their form."""

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

from uplift.domain.model.process import VersionNumber
from uplift.domain.ports.process_engine import (
    EngineFault,
    EngineFaultKind,
    EngineInstanceId,
    EngineVersionId,
)
from uplift.engines.client import Reply

_NO_TEXT = re.compile(r"[\x00\ud800-\udfff]")
"""What JSON can write, but no encoding has (half of a surrogate pair), or PostgreSQL does not store."""


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
    """A field that has a text, which can be sent and stored."""
    value = row.get(name)
    if not isinstance(value, str):
        raise reply.unexpected(f"it has no text as '{name}'")
    if _NO_TEXT.search(value):
        raise reply.unexpected(f"it has half a letter or a zero byte in '{name}'")
    return value


def optional_text_of(row: Mapping[str, Any], name: str) -> str | None:
    """A field that may have a text, for people to read. What cannot be stored is replaced."""
    value = row.get(name)
    return _NO_TEXT.sub("\ufffd", value) if isinstance(value, str) else None


def version_number_of(reply: Reply, row: Mapping[str, Any]) -> VersionNumber:
    """The number of a definition, from 1, in its field `version`."""
    number = row.get("version")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise reply.unexpected("a definition has no number as 'version'")
    return VersionNumber(number)


def ids_on_version(
    reply: Reply,
    rows: Iterable[Mapping[str, Any]],
    version: EngineVersionId,
    *,
    version_field: str,
    id_of: Callable[[Mapping[str, Any]], str],
) -> tuple[EngineInstanceId, ...]:
    """The ids of listed instances, all of which must be on this version: an engine may ignore a filter."""
    ids = []
    for row in rows:
        if text_of(reply, row, version_field) != version:
            raise reply.unexpected("it lists instances of other versions than the one in question")
        ids.append(EngineInstanceId(id_of(row)))
    return tuple(ids)


def put_versions(
    found: MutableMapping[EngineInstanceId, EngineVersionId | None],
    reply: Reply,
    rows: Iterable[Mapping[str, Any]],
    *,
    version_field: str,
) -> None:
    """Put in on which version each listed instance is, if it is one of those that were looked up."""
    for row in rows:
        instance_id = EngineInstanceId(text_of(reply, row, "id"))
        version = EngineVersionId(text_of(reply, row, version_field))
        if instance_id in found:
            found[instance_id] = version


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
