"""Refuses JSON bodies of too many values before they are decoded."""

import re

from uplift.web.errors import HttpCode, RequestError

MAX_VALUES = 1_000_000
"""Values in one body. The default limits on bytes and ids allow about 700,000: instances to register."""

_STRING = re.compile(rb'"[^"]*"')


def require_few_values(body: bytes, limit: int = MAX_VALUES) -> None:
    """Raises RequestError (413) for a JSON text of more values than the limit.

    A decoder makes an object of each value, so two bytes may take a hundred. Punctuation is counted instead,
    in a time that a copy of the body takes. What it finds in a text that is not JSON does not matter: the
    decoder refuses that.
    """
    if _punctuation(body) <= limit:
        return
    # Texts, such as documents, may have commas and brackets of their own.
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    if unescaped.count(b'"') > 4 * limit or _punctuation(_STRING.sub(b"", unescaped)) > limit:
        raise RequestError(
            413,
            HttpCode.LIMIT_EXCEEDED,
            f"Expected a body of at most {limit:,} JSON values, but it has more.",
        )


def _punctuation(text: bytes) -> int:
    """The number of commas and opening brackets: at least that of all values but the first."""
    return text.count(b",") + text.count(b"[") + text.count(b"{")
