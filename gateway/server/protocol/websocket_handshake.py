"""Checks the handshake of a WebSocket by RFC 6455; websockets knows its rules."""

from dataclasses import dataclass

from starlette.types import Scope
from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from uplift.gateway.server.protocol.request_head import Flaw
from uplift.web.websocket_extension import AUTHENTICATED

NOT_A_HANDSHAKE = (
    "Expected a WebSocket handshake with one Sec-WebSocket-Key of 16 bytes and Sec-WebSocket-Version 13 "
    "(RFC 6455, section 4.2.1), but got another."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """A valid handshake: the scope for the application, and the value that accepts it."""

    scope: Scope
    accept: bytes


def handshake_of(http_scope: Scope) -> Handshake | Flaw:
    """The handshake in a GET request that asks for an upgrade to WebSocket."""
    headers = Headers()
    for name, value in http_scope["headers"]:
        headers[name.decode("latin-1")] = value.decode("latin-1")
    # It gets no bytes, because HTTP is read by the HTTP side with its own bounds.
    response = ServerProtocol().accept(Request(http_scope["path"], headers))
    if response.status_code != 101:
        # The reason that websockets gives quotes the client's headers, which must not reach the log.
        return Flaw(status=response.status_code, message=NOT_A_HANDSHAKE)
    scope = {
        **http_scope,
        "type": "websocket",
        "asgi": {**http_scope["asgi"], "spec_version": "2.4"},
        "scheme": "ws",
        "subprotocols": [
            name.strip() for value in headers.get_all("Sec-WebSocket-Protocol") for name in value.split(",")
        ],
        "extensions": {"websocket.http.response": {}, AUTHENTICATED: {}},
    }
    del scope["method"]
    return Handshake(scope=scope, accept=response.headers["Sec-WebSocket-Accept"].encode("ascii"))
