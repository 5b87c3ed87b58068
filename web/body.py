"""Reads the body of a request within limits of size and time."""

import asyncio

from starlette.types import Receive

from uplift.web.errors import HttpCode, RequestError
from uplift.web.json_limits import require_few_values
from uplift.web.request_memory import HeldRequest


async def read_json_body(
    receive: Receive,
    held: HeldRequest,
    *,
    content_length: str | bytes | None,
    max_bytes: int,
    max_seconds: float,
) -> bytes:
    """The whole body, once it may be decoded: it has few values, and there is room for them in `held`.

    Raises RequestError for a body that is too large or has too many values (413), too slow (408), cut off by
    its client (400), or beside too many others (429, 503). A body whose `content_length` is too large is
    refused unread; any other as soon as the received part is too large, whatever its length was said to be.
    """
    announced = _length(content_length)
    if announced > max_bytes:
        raise _too_large(max_bytes, f"it has {announced:,}")
    held.announce(announced)
    try:
        async with asyncio.timeout(max_seconds):
            body = await _receive_all(receive, held, max_bytes)
    except TimeoutError:
        raise RequestError(
            408,
            HttpCode.LIMIT_EXCEEDED,
            f"Expected the whole body within {max_seconds:g} seconds, but it took longer.",
            headers={"connection": "close"},  # else the server would go on reading the rest
        ) from None
    await held.add_values(require_few_values(body))
    return body


async def _receive_all(receive: Receive, held: HeldRequest, max_bytes: int) -> bytes:
    body = bytearray()  # grows in place; bytes would be copied for each of many small parts
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError(
                400, HttpCode.BAD_REQUEST, "Expected a whole body, but the client disconnected."
            )
        part = message.get("body", b"")
        if len(body) + len(part) > max_bytes:
            raise _too_large(max_bytes, "it has more")
        held.add_bytes(len(part))
        body += part
        if not message.get("more_body", False):
            return bytes(body)


def _length(content_length: str | bytes | None) -> int:
    """The announced length; 0 if it is missing or unreadable, because the body is counted anyway."""
    try:
        return int(content_length or 0)
    except ValueError:
        return 0


def _too_large(max_bytes: int, found: str) -> RequestError:
    message = f"Expected a body of at most {max_bytes:,} bytes, but {found}."
    return RequestError(413, HttpCode.LIMIT_EXCEEDED, message)
