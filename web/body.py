"""Reads the body of a request within limits of size and time."""

import asyncio

from starlette.types import Receive

from uplift.web.errors import HttpCode, RequestError


async def read_body(
    receive: Receive, *, content_length: str | bytes | None, max_bytes: int, max_seconds: float
) -> bytes:
    """The whole body.

    Raises RequestError for a body that is too large (413), too slow (408), or cut off by its client (400). A
    body whose `content_length` is too large is refused unread; any other as soon as the received part is too
    large, whatever its length was said to be.
    """
    announced = _length(content_length)
    if announced > max_bytes:
        raise _too_large(max_bytes, f"it has {announced:,}")
    try:
        async with asyncio.timeout(max_seconds):
            return await _receive_all(receive, max_bytes)
    except TimeoutError:
        raise RequestError(
            408,
            HttpCode.LIMIT_EXCEEDED,
            f"Expected the whole body within {max_seconds:g} seconds, but it took longer.",
            headers={"connection": "close"},  # else the server would go on reading the rest
        ) from None


async def _receive_all(receive: Receive, max_bytes: int) -> bytes:
    body = bytearray()  # grows in place; bytes would be copied for each of many small parts
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError(
                400, HttpCode.BAD_REQUEST, "Expected a whole body, but the client disconnected."
            )
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise _too_large(max_bytes, "it has more")
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
