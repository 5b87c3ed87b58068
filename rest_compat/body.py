"""Reads the selection of instances from the body of a request."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from starlette.types import Receive

from uplift.domain.errors import InvalidSelection
from uplift.domain.model.selection import MAX_IDS, Selection, SelectionFields, selection_from
from uplift.rest_compat.errors import Detail, RestError, invalid_input
from uplift.rest_compat.json_body import JsonBody
from uplift.web.body import read_json_body
from uplift.web.errors import HttpCode, RequestError
from uplift.web.media_types import utf8_media_type
from uplift.web.request_memory import HeldRequest

FIELDS = SelectionFields(ids="instanceIds", all_active="updateAllActive", excluded="unselectedIds")
OLDER_NAME = "instances"
"""The name of `instanceIds` in an older edition of the documentation."""

_KNOWN = (FIELDS.ids, FIELDS.excluded, FIELDS.all_active, OLDER_NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestLimits:
    """What one client may send; the default fits 100,000 ids in any spelling."""

    max_body_bytes: int = 8 * 1024 * 1024
    max_body_seconds: float = 30.0
    """From the first to the last byte of a body."""
    max_ids: int = MAX_IDS
    """Different ids in one list."""


async def read_body(
    headers: Mapping[bytes, bytes], receive: Receive, limits: RestLimits, held: HeldRequest
) -> bytes:
    """The whole body of a request.

    Raises RequestError for a body of another type (415), and what `read_json_body` raises.
    """
    _require_json(headers)
    return await read_json_body(
        receive,
        held,
        content_length=headers.get(b"content-length"),
        max_bytes=limits.max_body_bytes,
        max_seconds=limits.max_body_seconds,
    )


def read_selection(body: bytes, *, max_ids: int) -> Selection:
    """The selection of a body; null, empty and false count as absent (rest.md#the-body).

    Raises RequestError for a body that cannot be read (400) or has more than `max_ids` ids in one list (413),
    and InvalidSelection for one that does not select in exactly one way.
    """
    properties = JsonBody(body, _KNOWN)
    ids = properties.uuids(FIELDS.ids)
    older = properties.uuids(OLDER_NAME)
    excluded = properties.uuids(FIELDS.excluded)
    every_active = properties.flag(FIELDS.all_active)
    if properties.faults:
        raise invalid_input(properties.faults)
    if ids and older:
        raise InvalidSelection(
            f"Expected either {FIELDS.ids} or {OLDER_NAME}, its older name, but got both.",
            field=(FIELDS.ids, OLDER_NAME),
        )
    fields = replace(FIELDS, ids=OLDER_NAME) if older else FIELDS
    _require_at_most(max_ids, ids or older, fields.ids)
    _require_at_most(max_ids, excluded, fields.excluded)
    return selection_from(ids=ids or older, every_active=every_active, excluded=excluded, fields=fields)


def _require_json(headers: Mapping[bytes, bytes]) -> None:
    """Clients of the older documentation send JSON without a Content-Type."""
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    media_type = utf8_media_type(content_type)
    if media_type not in ("", "application/json") and not (media_type or "").endswith("+json"):
        raise RequestError(
            415,
            HttpCode.UNSUPPORTED_MEDIA_TYPE,
            f"Expected a body of type 'application/json' in UTF-8, but got '{content_type}'.",
        )
    coding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
    if coding not in ("", "identity"):
        raise RequestError(
            415,
            HttpCode.UNSUPPORTED_MEDIA_TYPE,
            f"Expected a body without Content-Encoding, but got '{coding}'.",
            headers={"accept-encoding": "identity"},
        )


def _require_at_most(max_ids: int, ids: Collection[UUID], field: str) -> None:
    """Raises RequestError (413) for more different ids than one request may carry."""
    if len(ids) <= max_ids or (distinct := len(set(ids))) <= max_ids:
        return
    message = f"Expected {field} to hold at most {max_ids:,} ids, but got {distinct:,}."
    raise RestError(413, HttpCode.LIMIT_EXCEEDED, message, details=[Detail(field=field, message=message)])
