"""Reads the properties of a JSON object and collects the faults of their values.

Values stay JSON text until their type is known: each is decoded once, and an error shows the client's text.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from uuid import UUID

import msgspec
from msgspec import Raw

from uplift.rest_compat.errors import MAX_DETAILS, Detail
from uplift.web.errors import HttpCode, RequestError
from uplift.web.json_limits import unreadable_reason
from uplift.web.uuids import read_uuid

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ABSENT = Raw(b"null")
_MAX_EXCERPT = 60
"""Characters of a value that an error repeats."""

_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_flag = msgspec.json.Decoder(bool | None).decode
_decode_uuids = msgspec.json.Decoder(list[UUID] | None).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode


class JsonBody:
    """A JSON object of known properties. `faults` collects what is wrong with it, in reading order."""

    def __init__(self, body: bytes, known: Collection[str]) -> None:
        """Raises RequestError (400) for a body that is not one JSON object in UTF-8."""
        self._values = _properties(body)
        self.faults = _unknown(self._values, known) or _repeated(body, self._values)

    def flag(self, name: str) -> bool:
        """The boolean of this name; False if it is absent, null, or a fault."""
        raw = self._values.get(name, _ABSENT)
        try:
            return _decode_flag(raw) or False
        except (ValueError, RecursionError):
            self._add_fault(name, "a boolean", raw)
            return False

    def uuids(self, name: str) -> list[UUID]:
        """The list of UUIDs of this name, without the invalid ones; empty if it is absent or null."""
        raw = self._values.get(name, _ABSENT)
        try:
            return _decode_uuids(raw) or []
        except (ValueError, RecursionError):
            return self._uuids_one_by_one(name, raw)

    def _uuids_one_by_one(self, name: str, raw: Raw) -> list[UUID]:
        """Decodes each value alone: msgspec knows two spellings, and does not say which value is wrong."""
        try:
            items = _decode_items(raw)
        except (ValueError, RecursionError):
            self._add_fault(name, "a list of UUIDs", raw)
            return []
        uuids = []
        for index, item in enumerate(items):
            try:
                uuids.append(read_uuid(_decode_text(item)))
            except (ValueError, RecursionError):
                self._add_fault(f"{name}[{index}]", "a UUID", item)
                if len(self.faults) >= MAX_DETAILS:
                    break
        return uuids

    def _add_fault(self, field: str, expected: str, raw: Raw) -> None:
        message = f"Expected {field} to be {expected}, but got {_excerpt(bytes(raw))}."
        self.faults.append(Detail(field=field, message=message))


def _properties(body: bytes) -> dict[str, Raw]:
    if not body.strip():
        raise _malformed("it is empty")
    if body.startswith(_BYTE_ORDER_MARK):
        raise _malformed("it begins with a byte order mark")
    try:
        return _decode_object(body)
    except msgspec.ValidationError:
        raise _malformed(f"it is {_excerpt(body)}") from None
    except (ValueError, RecursionError) as error:
        raise _malformed(f"it cannot be read: {unreadable_reason(error)}") from None


def _unknown(names: Iterable[str], known: Collection[str]) -> list[Detail]:
    return [
        Detail(
            field=name[:_MAX_EXCERPT],
            message=f"Expected only {', '.join(known)}, but got {_excerpt(msgspec.json.encode(name))}.",
        )
        for name in islice((name for name in names if name not in known), MAX_DETAILS)
    ]


def _repeated(body: bytes, values: Mapping[str, Raw]) -> list[Detail]:
    """Refuses a repeated property: `values` has only the last of its values, which may not be the meant one.

    Known names have no colon, so outside of the values there is one colon for each property. If the count
    differs, a name is repeated; only then is the body read a second time.
    """
    colons = body.count(b":") - sum(bytes(value).count(b":") for value in values.values())
    if colons == len(values):
        return []
    counts = Counter(_names(body))
    return [
        Detail(field=name, message=f"Expected {name} once, but got it {count} times.")
        for name, count in counts.items()
        if count > 1
    ]


def _names(body: bytes) -> list[str]:
    """The names of an object's properties with repetitions, which msgspec drops."""
    try:
        return [name for name, _ in json.loads(body, object_pairs_hook=list)]
    except (ValueError, RecursionError) as error:
        raise _malformed(f"it cannot be read: {unreadable_reason(error)}") from None


def _excerpt(raw: bytes) -> str:
    """The beginning of a JSON text, on one line."""
    text = " ".join(raw[: _MAX_EXCERPT * 4].decode("utf-8", "replace").split())
    return text if len(text) <= _MAX_EXCERPT else f"{text[:_MAX_EXCERPT]}…"


def _malformed(reason: str) -> RequestError:
    message = f"Expected the body to be one JSON object in UTF-8, but {reason}."
    return RequestError(400, HttpCode.BAD_REQUEST, message)
