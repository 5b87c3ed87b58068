"""Which replies may pages of other web origins read (CORS)?"""

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from uplift.web.origins import Origins

REQUEST_HEADERS = ("authorization", "content-type", "idempotency-key", "prefer", "x-request-id")
REPLY_HEADERS = ("location", "preference-applied", "retry-after", "www-authenticate", "x-request-id")
REMEMBERED_FOR = 600
"""Seconds in which a browser need not ask again."""


def cross_origin(origins: Origins) -> list[Middleware]:
    """What lets pages of the allowed origins call and read; nothing at all unless some are allowed.

    Keys come in a header that pages set themselves, so cookies and other credentials are never asked for.
    """
    if not origins.allowed:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=sorted(origins.allowed),
            allow_methods=("GET", "POST"),
            allow_headers=REQUEST_HEADERS,
            expose_headers=REPLY_HEADERS,
            max_age=REMEMBERED_FOR,
        )
    ]
