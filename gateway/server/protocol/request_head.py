"""One request's head: its bounds, and what makes it ambiguous or more than the server understands."""

import re
import urllib.parse
from dataclasses import dataclass
from typing import NamedTuple

import httptools

from uplift.gateway.observability.refusals import ConnectionRefusal
from uplift.gateway.server.bounds import MAX_HEAD_BYTES, MAX_HEADERS

SINGLE = frozenset(
    {
        b"host",
        b"authorization",
        b"content-length",
        b"content-type",
        b"content-encoding",
        b"transfer-encoding",
        b"origin",
        b"sec-fetch-site",
        b"sec-websocket-key",
        b"sec-websocket-version",
    }
)
"""Headers that a request may have once. Of two, a proxy could read one and the application the other."""

HOST = re.compile(rb"[\w.~!$&'()*+;=%-]*(:\d*)?|\[[0-9A-Fa-f:.]+(%25[\w.~-]+)?\](:\d*)?")
"""A host with a port, as RFC 3986, section 3.2.2, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """Why a request is refused, and how."""

    status: int
    message: str
    reason: ConnectionRefusal = ConnectionRefusal.BAD_REQUEST


TOO_LARGE = Flaw(
    status=431,
    message=f"Expected a head of at most {MAX_HEAD_BYTES:,} bytes and {MAX_HEADERS} headers.",
    reason=ConnectionRefusal.HEAD_TOO_LARGE,
)


class Target(NamedTuple):
    """The target of a request. Each request makes one, and a frozen dataclass takes several times as long."""

    path: str
    raw_path: bytes
    query: bytes


class RequestHead:
    """The head of a request while it arrives."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.flaw: Flaw | None = None
        self.single: dict[bytes, bytes] = {}
        """The values of the headers in SINGLE."""
        self.upgrades: list[bytes] = []
        self.expects_continue = False
        self._bytes = 0

    def add_url(self, url: bytes) -> None:
        self._bytes += len(url)
        if self._bytes > MAX_HEAD_BYTES:
            self.flaw = TOO_LARGE
        else:
            self.url += url

    def add_header(self, name: bytes, value: bytes) -> None:
        self._bytes += len(name) + len(value) + 4
        if self._bytes > MAX_HEAD_BYTES:
            self.flaw = TOO_LARGE
        if self.flaw is not None:
            return
        name = name.lower()
        if name in SINGLE:
            if name in self.single:
                self.flaw = Flaw(status=400, message=f"Expected one header {name.decode()}, but got two.")
                return
            self.single[name] = value
        elif name == b"upgrade":
            self.upgrades.append(value.lower())
        elif name == b"expect":
            self.expects_continue = value.lower() == b"100-continue"
        self.headers.append((name, value))
        if len(self.headers) > MAX_HEADERS:
            self.flaw = TOO_LARGE

    def check(self, *, version: str, method: bytes) -> Flaw | None:
        """What is wrong with the whole head, if anything (RFC 9112, sections 3.2 and 6.1)."""
        if self.flaw is not None:
            return self.flaw
        if version not in ("1.1", "1.0"):
            return Flaw(status=505, message=f"Expected HTTP/1.1 or HTTP/1.0, but got HTTP/{version}.")
        if method == b"CONNECT":
            return Flaw(status=501, message="Expected a request for a resource, but got CONNECT.")
        host = self.single.get(b"host")
        if host is None and version == "1.1":
            return Flaw(status=400, message="Expected a header host, but got none.")
        if host is not None and not HOST.fullmatch(host):
            return Flaw(status=400, message="Expected the header host to be a host, but it is not.")
        coding = self.single.get(b"transfer-encoding")
        if coding is not None and (version == "1.0" or coding.strip().lower() != b"chunked"):
            return Flaw(
                status=501, message="Expected HTTP/1.1 with no transfer coding but chunked, but got another."
            )
        return None

    def target(self) -> Target | Flaw:
        """The path and query of a target in origin-form, absolute-form or asterisk-form."""
        if self.url == b"*":
            return Target(path="*", raw_path=b"*", query=b"")
        try:
            url = httptools.parse_url(self.url)
            raw_path = url.path or b"/"
            path = raw_path.decode("ascii")
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            return Flaw(status=400, message="Expected the target of the request to be a URL, but it is not.")
        if "%" in path:
            path = urllib.parse.unquote(path)
        return Target(path=path, raw_path=raw_path, query=url.query or b"")
