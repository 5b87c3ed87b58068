"""Refuses JSON bodies of too many values before they are decoded, and says why others cannot be decoded."""

from uplift.web.errors import HttpCode, RequestError

MAX_VALUES = 1_000_000
"""Values in one body. The default limits on bytes and ids allow about 700,000: instances to register."""


def require_few_values(body: bytes, limit: int = MAX_VALUES) -> int:
    """About how many values a JSON text has. Raises RequestError (413) for more than the limit.

    A decoder makes an object of each value, so two bytes may take a hundred. Commas and opening brackets are
    counted instead, at least one for each value but the first; those inside texts count, too, because telling
    them apart takes as long as decoding.
    """
    values = sum(map(body.count, (b",", b"[", b"{")))
    if values > limit:
        raise RequestError(
            413,
            HttpCode.LIMIT_EXCEEDED,
            f"Expected a body of at most {limit:,} JSON values, but it has more commas and opening brackets.",
        )
    return values


def unreadable_reason(error: Exception) -> str:
    """Why a decoder cannot read a JSON text.

    The depth that it reads, and what it says of a deeper text, depend on the version of Python.
    """
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
