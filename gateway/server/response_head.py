"""Writes the head of a response."""

import re
from collections.abc import Iterable
from http import HTTPStatus

Headers = Iterable[tuple[bytes, bytes]]

_PHRASES = {int(status): status.phrase.encode() for status in HTTPStatus}
STATUS_LINES = {
    status: b"HTTP/1.1 %d %s\r\n" % (status, _PHRASES.get(status, b"")) for status in range(100, 600)
}

NOT_IN_NAME = re.compile(rb"[\x00-\x20\x7f()<>@,;:\[\]={}\\\"]")
NOT_IN_VALUE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def response_head(status: int, headers: Headers, *framing: bytes) -> bytes:
    """The status line, these headers, and lines about the framing.

    Raises RuntimeError for a header that would break the response in two.
    """
    lines = [STATUS_LINES[status]]
    for name, value in headers:
        lines += (name, b": ", value, b"\r\n")
    names, values = lines[1::4], lines[3::4]
    # One search for all of them costs a fraction of one for each.
    if NOT_IN_NAME.search(b"".join(names)) or NOT_IN_VALUE.search(b"".join(values)):
        wrong = next(
            name
            for name, value in zip(names, values, strict=True)
            if NOT_IN_NAME.search(name) or NOT_IN_VALUE.search(value)
        )
        raise RuntimeError(f"Expected a header without control characters, but got {wrong!r}.")
    lines += framing
    lines.append(b"\r\n")
    return b"".join(lines)


def plain_response(status: int, message: str) -> bytes:
    """A whole response of plain text, after which the connection closes."""
    body = message.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    return response_head(status, headers) + body
