"""Under which key does a client repeat a request? It says so in `Idempotency-Key`.

Source: the IETF draft "The Idempotency-Key HTTP Header Field" (draft-ietf-httpapi-idempotency-key-header), by
which the value is a string of RFC 8941, in double quotes. Older clients send it without.
"""

import re
from collections.abc import Sequence

from uplift.domain.model.idempotency import MAX_KEY_LENGTH
from uplift.rest_compat.errors import Detail, RequestError, bad_values

HEADER = "Idempotency-Key"

_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE = re.compile(r"[!#-+\--:<-\[\]-~]*")


def idempotency_key_of(headers: Sequence[str]) -> str | None:
    """The key that a request came with, without its quotes; None when there is none.

    Raises RequestError for several headers, and for a value that is no such string.
    """
    if not headers:
        return None
    if len(headers) > 1:
        raise _malformed(f"Expected {HEADER} once, but got it {len(headers)} times.")
    key = _unquoted(headers[0].strip())
    if key is None or not 0 < len(key) <= MAX_KEY_LENGTH:
        raise _malformed(
            f"Expected {HEADER} to be 1 to {MAX_KEY_LENGTH} printable ASCII characters in double quotes, "
            f"but got {headers[0][:60]!r}."
        )
    return key


def _unquoted(value: str) -> str | None:
    if quoted := _QUOTED.fullmatch(value):
        return re.sub(r"\\(.)", r"\1", quoted[1])
    return value if _BARE.fullmatch(value) else None


def _malformed(message: str) -> RequestError:
    return bad_values([Detail(field=HEADER, message=message)])
