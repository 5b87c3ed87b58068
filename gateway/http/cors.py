"""Cross-origin resource sharing (CORS) with the allowed web origins."""

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from uplift.web.origins import Origins

REQUEST_HEADERS = ("authorization", "content-type", "idempotency-key", "prefer", "x-request-id")
REPLY_HEADERS = ("location", "preference-applied", "retry-after", "www-authenticate", "x-request-id")
MAX_AGE = 600
"""Seconds for which a browser may cache a preflight response."""


def cors_middleware(origins: Origins) -> list[Middleware]:
    """The middleware that lets pages of the allowed origins call the APIs; none if no origin is allowed.

    API keys come in a header that pages set themselves, so credentials such as cookies are not allowed.
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
            max_age=MAX_AGE,
        )
    ]
