"""What are the properties of the JSON object in a body, and what are their values?

The values are kept as JSON text until their type is asked for: each is read once, and an error shows what its
client wrote.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from itertools import islice
from uuid import UUID

import msgspec
from msgspec import Raw

from uplift.rest_compat.errors import MAX_DETAILS, Detail, RequestError, RestCode

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ABSENT = Raw(b"null")
_MOST_SHOWN = 60
"""Characters of a value that an error repeats."""

_decode_object = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_flag = msgspec.json.Decoder(bool | None).decode
_decode_uuids = msgspec.json.Decoder(list[UUID] | None).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode

_PLAIN = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})"
_UUID = re.compile(rf"(?:urn:uuid:)?{_PLAIN}|\{{{_PLAIN}\}}", re.IGNORECASE | re.ASCII)


class JsonBody:
    """A JSON object of known properties. `faults` collects what is wrong with it, in reading order."""

    def __init__(self, body: bytes, known: Collection[str]) -> None:
        """Raises RequestError for a body that is not one JSON object in UTF-8."""
        self._values = _properties(body)
        self.faults = _unknown(self._values, known) or _repeated(body, self._values)

    def flag(self, name: str) -> bool:
        """The boolean of this name; False when it is absent, null, or a fault."""
        raw = self._values.get(name, _ABSENT)
        try:
            return _decode_flag(raw) or False
        except (ValueError, RecursionError):
            self._add_fault(name, "a boolean", raw)
            return False

    def uuids(self, name: str) -> list[UUID]:
        """The list of UUIDs of this name; empty when it is absent, null, or a fault."""
        raw = self._values.get(name, _ABSENT)
        try:
            return _decode_uuids(raw) or []
        except (ValueError, RecursionError):
            return self._any_spelling(name, raw)

    def _any_spelling(self, name: str, raw: Raw) -> list[UUID]:
        """The list read one by one: msgspec knows two spellings only, and not which value is at fault."""
        try:
            items = _decode_items(raw)
        except (ValueError, RecursionError):
            self._add_fault(name, "a list of UUIDs", raw)
            return []
        found = []
        for index, item in enumerate(items):
            if (plain := _uuid_in(item)) is not None:
                found.append(plain)
            elif len(self.faults) < MAX_DETAILS:
                self._add_fault(f"{name}[{index}]", "a UUID", item)
        return msgspec.convert(found, list[UUID])

    def _add_fault(self, field: str, expected: str, raw: Raw) -> None:
        message = f"Expected {field} to be {expected}, but got {_shown(bytes(raw))}."
        self.faults.append(Detail(field=field, message=message))


def plain_uuid(text: str) -> str | None:
    """The digits of a UUID in any of its usual spellings: upper case, braces, no hyphens, urn:uuid:."""
    spelled = _UUID.fullmatch(text)
    return spelled and (spelled[1] or spelled[2])


def _properties(body: bytes) -> dict[str, Raw]:
    if not body.strip():
        raise _malformed("it is empty")
    if body.startswith(_BYTE_ORDER_MARK):
        raise _malformed("it begins with a byte order mark")
    try:
        return _decode_object(body)
    except msgspec.ValidationError:
        raise _malformed(f"it is {_shown(body)}") from None
    except (ValueError, RecursionError) as error:
        raise _malformed(f"it cannot be read: {error}") from None


def _unknown(given: Mapping[str, Raw], known: Collection[str]) -> list[Detail]:
    return [
        Detail(
            field=name[:_MOST_SHOWN],
            message=f"Expected only {', '.join(known)}, but got {_shown(msgspec.json.encode(name))}.",
        )
        for name in islice((name for name in given if name not in known), MAX_DETAILS)
    ]


def _repeated(body: bytes, given: Mapping[str, Raw]) -> list[Detail]:
    """Of properties given twice only the last is in `bind_ids`, and which was meant is anybody's guess.

    Known names have no colon, so outside of the values there is one for each property unless one is repeated.
    """
    colons = body.count(b":") - sum(bytes(value).count(b":") for value in given.values())
    if colons == len(given):
        return []
    counts = Counter(_names(body))
    return [
        Detail(field=name, message=f"Expected {name} once, but got it {count} times.")
        for name, count in counts.items()
        if count > 1
    ]


def _names(body: bytes) -> list[str]:
    """The names of an object's properties with repetitions, which msgspec does not tell."""
    try:
        return [name for name, _ in json.loads(body, object_pairs_hook=list)]
    except (ValueError, RecursionError) as error:
        raise _malformed(f"it cannot be read: {error}") from None


def _uuid_in(raw: Raw) -> str | None:
    try:
        return plain_uuid(_decode_text(raw))
    except (ValueError, RecursionError):
        return None


def _shown(raw: bytes) -> str:
    """A JSON text as part of a sentence: on one line, and not longer than a reader needs to find it."""
    text = " ".join(raw[: _MOST_SHOWN * 4].decode("utf-8", "replace").split())
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _malformed(found: str) -> RequestError:
    return RequestError(
        400, RestCode.BAD_REQUEST, f"Expected the body to be one JSON object in UTF-8, but {found}."
    )
