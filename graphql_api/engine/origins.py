"""Which web pages may use this API?

Browsers send other sites' pages with an Origin that no page can forge. Programs send none, and pass.
"""

from collections.abc import Iterable, Mapping

from strawberry.http.websocket_origin import is_same_origin, normalize_allowed_origins, normalize_origin


class Origins:
    """The page's own origin, and the ones listed.

    `allowed` are origins like `https://tools.example.com`, or `*` for all; anything else raises ValueError.
    """

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = frozenset(normalize_allowed_origins(allowed))

    def allow(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with these headers (names in lower case) comes from no page or an allowed one."""
        origin = headers.get("origin")
        if origin is None or headers.get("sec-fetch-site") == "same-origin":
            return True
        return (
            is_same_origin(origin, headers.get("host"))
            or "*" in self.allowed
            or normalize_origin(origin) in self.allowed
        )
