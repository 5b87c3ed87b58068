"""Reads the headers `Idempotency-Key` and `Prefer`.

Sources: draft-ietf-httpapi-idempotency-key-header, by which the key is a string of RFC 8941 in double quotes
(older clients send it without), and RFC 7240 for `Prefer`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from uplift.domain.model.idempotency import MAX_KEY_LENGTH
from uplift.rest_compat.errors import Detail, RestError, invalid_input

IDEMPOTENCY_KEY = "Idempotency-Key"

_QUOTED_KEY = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE_KEY = re.compile(r"[!#-+\--:<-\[\]-~]*")

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_STRING = r'"(?:[^"\\]|\\.)*"'
_PREFERENCE = re.compile(rf'(?:[^",]|{_STRING}?)+')
_NAME_AND_VALUE = re.compile(rf"({_WORD})\s*(?:=\s*(?:({_WORD}|{_STRING})\s*)?)?(?:;.*)?")
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Whether the client prefers not to wait (`respond-async`), and the seconds to wait first (`wait`)."""

    respond_async: bool = False
    wait: int | None = None

    @property
    def is_immediate(self) -> bool:
        """Whether to answer without any waiting."""
        return self.respond_async and self.wait is None

    @property
    def max_seconds(self) -> int | None:
        """Seconds to wait for the end of the upgrade; None for no limit."""
        return (self.wait or 0) if self.respond_async else None


def read_idempotency_key(headers: Sequence[str]) -> str | None:
    """The key of a request without its quotes; None if it has none.

    Raises RestError for several headers, and for a value that is no such string.
    """
    if not headers:
        return None
    if len(headers) > 1:
        raise _malformed(f"Expected {IDEMPOTENCY_KEY} once, but got it {len(headers)} times.")
    idempotency_key = _unquoted(headers[0].strip())
    if idempotency_key is None or not 0 < len(idempotency_key) <= MAX_KEY_LENGTH:
        raise _malformed(
            f"Expected {IDEMPOTENCY_KEY} to be 1 to {MAX_KEY_LENGTH} printable ASCII characters in double "
            f"quotes, but got {headers[0][:60]!r}."
        )
    return idempotency_key


def read_preference(headers: Iterable[str]) -> Preference:
    """What `Prefer` headers say of waiting; other preferences and unreadable ones are ignored.

    Of a repeated preference the first counts (RFC 7240, section 2).
    """
    values: dict[str, str] = {}
    for name, value in _preferences(headers):
        values.setdefault(name, value)
    seconds = values.get("wait", "")
    return Preference(
        respond_async=values.get("respond-async") == "",
        wait=int(seconds) if _SECONDS.fullmatch(seconds) else None,
    )


def _unquoted(value: str) -> str | None:
    if quoted := _QUOTED_KEY.fullmatch(value):
        return re.sub(r"\\(.)", r"\1", quoted[1])
    return value if _BARE_KEY.fullmatch(value) else None


def _preferences(headers: Iterable[str]) -> Iterator[tuple[str, str]]:
    for preference in _PREFERENCE.findall(",".join(headers)):
        if matched := _NAME_AND_VALUE.fullmatch(preference.strip()):
            yield matched[1].lower(), (matched[2] or "").strip('"')


def _malformed(message: str) -> RestError:
    return invalid_input([Detail(field=IDEMPOTENCY_KEY, message=message)])
