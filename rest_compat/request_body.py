"""Which bytes does a request carry, and may they be read at all?"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from starlette.types import Receive

from uplift.domain.model.selection import MAX_IDS
from uplift.rest_compat.errors import RequestError, RestCode

_UTF_8 = {"utf-8", "utf8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RestLimits:
    """What one client may send; the default fits 100,000 ids in any spelling."""

    max_body_bytes: int = 8 * 1024 * 1024
    max_body_seconds: float = 30.0
    """From the first to the last byte of a body."""
    max_ids: int = MAX_IDS
    """Different ids in one list."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, limits: RestLimits) -> bytes:
    """The whole body of a request.

    Raises RequestError for another type (415), a larger body (413), and one that comes too slowly (408). A
    body whose announced length is too large is refused unread; a body of unknown length, or a longer one than
    announced, as soon as the part received is too large.
    """
    _must_be_json(headers)
    announced = _announced_length(headers)
    if announced > limits.max_body_bytes:
        raise _too_large(limits, f"it has {announced:,}")
    try:
        async with asyncio.timeout(limits.max_body_seconds):
            return await _receive_all(receive, limits)
    except TimeoutError:
        raise _too_slow(limits) from None


@lru_cache(maxsize=64)
def is_json(content_type: bytes) -> bool:
    """Whether a Content-Type announces JSON in UTF-8, the only charset JSON has.

    Clients of the older documentation send none; what they send is JSON.
    """
    media_type, *parameters = [part.strip() for part in content_type.decode("latin-1").lower().split(";")]
    pairs = [parameter.partition("=") for parameter in parameters]
    charsets = {value.strip().strip('"') for name, _, value in pairs if name.strip() == "charset"}
    names_json = media_type in ("", "application/json") or media_type.endswith("+json")
    return names_json and charsets <= _UTF_8


def _must_be_json(headers: Mapping[bytes, bytes]) -> None:
    content_type = headers.get(b"content-type", b"")
    if not is_json(content_type):
        found = content_type.decode("latin-1")
        raise RequestError(
            415,
            RestCode.UNSUPPORTED_MEDIA_TYPE,
            f"Expected a body of type 'application/json' in UTF-8, but got '{found}'.",
        )
    coding = headers.get(b"content-encoding", b"identity").strip().lower()
    if coding not in (b"", b"identity"):
        raise RequestError(
            415,
            RestCode.UNSUPPORTED_MEDIA_TYPE,
            f"Expected a body without Content-Encoding, but got '{coding.decode('latin-1')}'.",
            headers={"accept-encoding": "identity"},
        )


def _announced_length(headers: Mapping[bytes, bytes]) -> int:
    """The Content-Length; 0 when there is none that can be believed: the body is counted anyway."""
    try:
        return int(headers.get(b"content-length", b"0"))
    except ValueError:
        return 0


async def _receive_all(receive: Receive, limits: RestLimits) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError(
                400, RestCode.BAD_REQUEST, "Expected a whole body, but the client went away in its middle."
            )
        part = message.get("body", b"")
        size += len(part)
        if size > limits.max_body_bytes:
            raise _too_large(limits, "it has more")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_slow(limits: RestLimits) -> RequestError:
    return RequestError(
        408,
        RestCode.LIMIT_EXCEEDED,
        f"Expected the whole body within {limits.max_body_seconds:g} seconds, but it took longer.",
        headers={"connection": "close"},  # or its rest would be waited for all the same
    )


def _too_large(limits: RestLimits, found: str) -> RequestError:
    return RequestError(
        413,
        RestCode.LIMIT_EXCEEDED,
        f"Expected a body of at most {limits.max_body_bytes:,} bytes, but {found}.",
    )
