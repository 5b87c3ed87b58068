"""Which instances does the body of a request mean?"""

from collections.abc import Collection
from dataclasses import replace
from uuid import UUID

from uplift.domain.errors import InvalidSelection
from uplift.domain.model.selection import Selection, SelectionFields, one_way_of_selecting
from uplift.rest_compat.body import JsonBody
from uplift.rest_compat.errors import Detail, RequestError, RestCode, bad_values

FIELDS = SelectionFields(ids="instanceIds", all_active="updateAllActive", excluded="unselectedIds")
OLDER_NAME = "instances"
"""What an older edition of the documentation called `instanceIds`."""

_KNOWN = (FIELDS.ids, FIELDS.excluded, FIELDS.all_active, OLDER_NAME)


def selection_of(body: bytes, *, most: int) -> Selection:
    """The selection that a body asks for; null, empty and false count as absent (rest.md#the-body).

    Raises RequestError for a body that cannot be read (400) or has a list of more than `most` ids (413),
    and InvalidSelection for one that does not select in exactly one way.
    """
    properties = JsonBody(body, _KNOWN)
    ids = properties.uuids(FIELDS.ids)
    older = properties.uuids(OLDER_NAME)
    excluded = properties.uuids(FIELDS.excluded)
    every_active = properties.flag(FIELDS.all_active)
    if properties.faults:
        raise bad_values(properties.faults)
    if ids and older:
        raise InvalidSelection(
            f"Expected either {FIELDS.ids} or {OLDER_NAME}, its older name, but got both.",
            field=(FIELDS.ids, OLDER_NAME),
        )
    fields = replace(FIELDS, ids=OLDER_NAME) if older else FIELDS
    _must_be_few(ids or older, fields.ids, most)
    _must_be_few(excluded, fields.excluded, most)
    return one_way_of_selecting(ids=ids or older, every_active=every_active, excluded=excluded, fields=fields)


def _must_be_few(ids: Collection[UUID], field: str, most: int) -> None:
    """Refuse more ids than one request may carry, as too large (413); an id given twice counts once."""
    if len(ids) <= most or (distinct := len(set(ids))) <= most:
        return
    message = f"Expected {field} to hold at most {most:,} ids, but got {distinct:,}."
    raise RequestError(413, RestCode.LIMIT_EXCEEDED, message, details=[Detail(field=field, message=message)])
