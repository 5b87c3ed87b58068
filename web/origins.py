"""Decides which web pages may use the API, by the `Origin` header.

Browsers send the header with requests of other sites' pages, and a page cannot forge it. Programs that are no
browsers send none, and are not restricted.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from uplift.web.errors import HttpCode, RequestError

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origins:
    """The allowed origins: the server's own, and the listed ones.

    A listed origin reads `https://tools.example.com`, or `*` for all. Raises ValueError for anything else.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self.allowed = frozenset(_listed(origin) for origin in allowed)

    def allow(self, headers: Mapping[str, str], *, scheme: str = "http") -> bool:
        """Whether a request with these headers (names in lower case) comes from no page or an allowed one.

        `scheme` is that of the request. `http` and `ws` leave it open, because a proxy that ends TLS passes
        the request on by plain HTTP, and need not say so.
        """
        origin = headers.get("origin")
        # A proxy may change `Host`; the browser's own verdict in Sec-Fetch-Site does not depend on it.
        if origin is None or headers.get("sec-fetch-site") == "same-origin" or "*" in self.allowed:
            return True
        return _is_same(origin, headers.get("host", ""), scheme) or _normalized(origin) in self.allowed

    def require_allowed(self, headers: Mapping[str, str], *, scheme: str = "http") -> None:
        """Raises RequestError (403) for a request of a page that is not allowed; as `allow`."""
        if not self.allow(headers, scheme=scheme):
            raise RequestError(
                403,
                HttpCode.FORBIDDEN_ORIGIN,
                f"Expected a page of this server or of an allowed origin, but got '{headers['origin']}'.",
            )


def _listed(text: str) -> str:
    if text == "*":
        return text
    origin = _normalized(text)
    if origin is None or _has_more_than_an_origin(text):
        raise ValueError(f"Expected an origin like https://tools.example.com, or *, but got {text!r}.")
    return origin


def _has_more_than_an_origin(url: str) -> bool:
    parts = urlsplit(url.strip())
    return bool(parts.path.strip("/") or parts.query or parts.fragment or parts.username)


def _normalized(origin: str) -> str | None:
    """The origin as browsers send it: in lower case, without a default port; None if it is not an origin."""
    try:
        parts = urlsplit(origin.strip())
        port = parts.port
    except ValueError:
        return None
    if not (parts.scheme and parts.hostname):
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if port is not None and port != _DEFAULT_PORTS.get(parts.scheme):
        host = f"{host}:{port}"
    return f"{parts.scheme}://{host}"


def _is_same(origin: str, host: str, scheme: str) -> bool:
    """Compares host and port, and the scheme if it is known to be a secure one."""
    scheme_of_page = origin.partition("://")[0]
    if scheme in ("https", "wss") and scheme_of_page.lower() != "https":
        return False
    normalized = _normalized(origin)
    return normalized is not None and normalized == _normalized(f"{scheme_of_page}://{host.strip()}")
