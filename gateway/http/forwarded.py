"""Reads what a proxy in front of the gateway says about a request.

These are the headers `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix`. Only those of named proxies count,
because any client can send them. uvicorn's own middleware is not used: it takes any text for an address, and
the last of several schemes, and knows neither host nor prefix.
"""

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

UNIX = "unix"
"""The name of callers through a Unix socket, which have no address."""
OWN_PATHS = ("/console", "/graphql", "/healthz", "/openapi.json", "/pub/v1", "/readyz")
"""The beginnings of all paths that the gateway serves, besides `/`."""

_ROOT_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_WITH_PORT = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
"""The scheme that each value of X-Forwarded-Proto means. Some proxies send `wss` with a WebSocket."""


def read_root_path(text: str) -> str:
    """The path below which a proxy serves the gateway, without a slash at the end; empty for the root.

    Raises ValueError for a path that needs escapes or has dot segments, and for one above or below a path of
    the gateway's own: then nobody could tell whether a proxy has removed it.
    """
    path = text.removesuffix("/")
    if path and not _ROOT_PATH.fullmatch(path):
        raise ValueError(f"Expected a path like /tools/uplift, but got {text[:100]!r}")
    if path and any(f"{own}/".startswith(f"{path}/") or path.startswith(f"{own}/") for own in OWN_PATHS):
        raise ValueError(f"Expected a path apart from {', '.join(OWN_PATHS)}, but got {text[:100]!r}")
    return path


class TrustedProxies:
    """The addresses and networks of proxies; `unix` stands for callers through a Unix socket.

    Raises ValueError for a text that is none of these.
    """

    def __init__(self, listed: Iterable[str] = ()) -> None:
        texts = tuple(listed)
        self._has_unix = UNIX in texts
        self._networks = tuple(_network(text) for text in texts if text != UNIX)

    def __contains__(self, address: str) -> bool:
        if address == UNIX:
            return self._has_unix
        known = _read_address(address)
        return known is not None and any(known in network for network in self._networks)

    def client_of(self, peer: str, forwarded_for: Sequence[str]) -> tuple[str, int]:
        """The address of the client, and how many trusted proxies its request came through.

        Each proxy appends the address that it was called from, so the last entry is read first, as long as
        trusted proxies wrote the entries. Reading ends before an entry that is not an address.
        """
        client, proxies = peer, 0
        entries = reversed(forwarded_for)
        while client in self:
            proxies += 1
            entry = next(entries, None)
            address = None if entry is None else _address(entry)
            if address is None:
                break
            client = address
        return client, proxies


class Forwarded:
    """ASGI middleware that completes a request with the root path and what trusted proxies say about it.

    It sets `client`, `scheme`, the header `Host` and `root_path`. Paths then begin with the root path, also
    if the proxy has removed it. Malformed values count as absent.
    """

    def __init__(self, app: ASGIApp, *, root_path: str = "", proxies: TrustedProxies | None = None) -> None:
        self._app = app
        self._root_path = root_path
        self._proxies = proxies or TrustedProxies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            root_path = self._root_path
            peer = (scope.get("client") or (UNIX, 0))[0]
            if peer in self._proxies:
                scope, root_path = self._forwarded(scope, peer)
            if root_path:
                scope = _below(scope, root_path)
        await self._app(scope, receive, send)

    def _forwarded(self, scope: Scope, peer: str) -> tuple[Scope, str]:
        """The request as the first trusted proxy got it, and its root path."""
        values = _values(scope["headers"])
        client, proxies = self._proxies.client_of(peer, values[b"x-forwarded-for"])
        scheme = _SCHEMES.get(_said(values[b"x-forwarded-proto"], proxies).lower())
        host = _said(values[b"x-forwarded-host"], proxies)
        changed: dict[str, Any] = {} if client == peer else {"client": (client, 0)}
        if scheme:
            is_socket = scope["type"] == "websocket"
            changed["scheme"] = scheme.replace("http", "ws") if is_socket else scheme
        if _HOST.fullmatch(host):
            others = [header for header in scope["headers"] if header[0] != b"host"]
            changed["headers"] = [(b"host", host.encode("ascii")), *others]
        return {**scope, **changed}, self._prefix(_said(values[b"x-forwarded-prefix"], proxies))

    def _prefix(self, text: str) -> str:
        try:
            return read_root_path(text) or self._root_path
        except ValueError:
            return self._root_path


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text.strip())
    except ValueError:
        expected = "Expected an address like 10.0.0.7, a network like 10.0.0.0/8 or fd00::/8, or unix"
        raise ValueError(f"{expected}, but got {text[:100]!r}") from None


def _address(text: str) -> str | None:
    """An address with or without a port, in the usual spelling; None if it is none."""
    with_port = _WITH_PORT.fullmatch(text)
    address = _read_address(with_port[1] or with_port[2] if with_port else text)
    return None if address is None else str(address)


def _read_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address  # ::ffff:192.0.2.1 is 192.0.2.1


def _values(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, list[str]]:
    """The values of the forwarded headers; a header on several lines is one list (RFC 9110, section 5.3)."""
    names = (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-prefix")
    values: dict[bytes, list[str]] = {name: [] for name in names}
    for name, value in headers:
        if name in values:
            values[name] += [entry.strip() for entry in value.decode("latin-1").split(",")]
    return values


def _said(values: Sequence[str], proxies: int) -> str:
    """What the first trusted proxy said; empty if none did.

    Proxies that append write one value each, so the values of strangers are further left. Where the nearest
    proxy replaces the header, there is only its value.
    """
    return values[-min(proxies, len(values))] if values else ""


def _below(scope: Scope, root_path: str) -> Scope:
    """The request with its whole path, as ASGI wants it: the root path and the path of the application."""
    path: str = scope["path"]
    complete: dict[str, Any] = {"root_path": root_path}
    if path != root_path and not path.startswith(f"{root_path}/"):  # the proxy has removed it
        raw_path: bytes = scope.get("raw_path") or path.encode()
        complete |= {"path": root_path + path, "raw_path": root_path.encode("ascii") + raw_path}
    return {**scope, **complete}
