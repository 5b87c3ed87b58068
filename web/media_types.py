"""Reads the headers `Accept`, `Accept-Encoding` and `Content-Type` (RFC 9110, sections 8.3 and 12.5)."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple


class Range(NamedTuple):
    """One entry of an `Accept` header: a media type, wildcard or coding in lower case, and its quality."""

    name: str
    quality: float
    """From 0 (refused) to 1."""


@lru_cache(maxsize=64)
def preferred(accept: str) -> tuple[Range, ...]:
    """The entries of a header like `Accept`, best quality first; equals keep their order.

    A quality that is not a number counts as 0.
    """
    entries = [_range(entry) for entry in accept.split(",") if entry.strip()]
    return tuple(sorted(entries, key=lambda entry: -entry.quality))


@lru_cache(maxsize=64)
def utf8_media_type(content_type: str) -> str | None:
    """The media type of a `Content-Type` in lower case; None if it names another charset than UTF-8."""
    media_type, *parameters = content_type.lower().split(";")
    charsets = {value for name, value in _pairs(parameters) if name == "charset"}
    return media_type.strip() if charsets <= {"utf-8", "utf8"} else None


def _range(entry: str) -> Range:
    name, *parameters = entry.lower().split(";")
    qualities = [_number(value) for parameter, value in _pairs(parameters) if parameter == "q"]
    return Range(name.strip(), qualities[0] if qualities else 1.0)


def _pairs(parameters: Sequence[str]) -> Iterator[tuple[str, str]]:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        yield name.strip(), value.strip().strip('"')


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
