"""Does a client want to wait for the end of its upgrade? It says so in `Prefer` (RFC 7240)."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_STRING = r'"(?:[^"\\]|\\.)*"'
_ONE = re.compile(rf'(?:[^",]|{_STRING}?)+')
_PARTS = re.compile(rf"({_WORD})\s*(?:=\s*(?:({_WORD}|{_STRING})\s*)?)?(?:;.*)?")
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """Whether the client would rather not wait, and how many seconds it would wait first."""

    respond_async: bool = False
    wait: int | None = None

    @property
    def is_at_once(self) -> bool:
        """Whether not to wait at all."""
        return self.respond_async and self.wait is None

    @property
    def patience(self) -> int | None:
        """How many seconds to wait for the end; None for as long as it takes."""
        return (self.wait or 0) if self.respond_async else None


def preference_of(headers: Iterable[str]) -> Preference:
    """What `Prefer` headers say of waiting; other preferences, and what cannot be read, are ignored.

    Of a preference that is given several times the first counts (RFC 7240, 2).
    """
    given: dict[str, str] = {}
    for name, value in _preferences(headers):
        given.setdefault(name, value)
    seconds = given.get("wait", "")
    return Preference(
        respond_async=given.get("respond-async") == "",
        wait=int(seconds) if _SECONDS.fullmatch(seconds) else None,
    )


def _preferences(headers: Iterable[str]) -> Iterator[tuple[str, str]]:
    for one in _ONE.findall(",".join(headers)):
        if parts := _PARTS.fullmatch(one.strip()):
            yield parts[1].lower(), (parts[2] or "").strip('"')
