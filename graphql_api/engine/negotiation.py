"""In which media type may a response be, and is a request body JSON?"""

from enum import StrEnum
from functools import lru_cache


class MediaType(StrEnum):
    """The forms a response can have."""

    GRAPHQL = "application/graphql-response+json"
    """Status codes tell of request errors."""
    JSON = "application/json"
    """Request errors of a well-formed request have status 200, as older clients expect."""
    EVENTS = "text/event-stream"
    """Server-Sent Events, one for each result."""


_WILDCARDS = {"*/*", "application/*"}
_FOR_WILDCARD = (MediaType.JSON, MediaType.GRAPHQL)


@lru_cache(maxsize=64)
def negotiate(accept: str) -> MediaType | None:
    """The media type to answer in: what the client likes best, the first of equals; None if it likes none."""
    if not accept.strip():
        return MediaType.JSON
    ranges = [_media_range(part) for part in accept.split(",")]
    refused = {media_type for media_type, quality in ranges if quality <= 0}
    for media_type, _ in sorted(ranges, key=lambda found: -found[1]):
        if media_type in refused:
            continue
        if media_type in _WILDCARDS:
            return next((known for known in _FOR_WILDCARD if known not in refused), None)
        if media_type in set(MediaType):
            return MediaType(media_type)
    return None


@lru_cache(maxsize=64)
def is_json(content_type: str) -> bool:
    """Whether this Content-Type announces JSON in UTF-8, the only charset JSON has."""
    media_type, *parameters = [part.strip().lower() for part in content_type.split(";")]
    charsets = [value.strip('"') for name, _, value in _parameters(parameters) if name == "charset"]
    return media_type == "application/json" and all(charset in {"utf-8", "utf8"} for charset in charsets)


def _media_range(part: str) -> tuple[str, float]:
    media_type, *parameters = [piece.strip().lower() for piece in part.split(";")]
    for name, _, value in _parameters(parameters):
        if name == "q":
            return media_type, _quality(value)
    return media_type, 1.0


def _quality(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return 0.0


def _parameters(parameters: list[str]) -> list[tuple[str, str, str]]:
    return [parameter.partition("=") for parameter in parameters]
