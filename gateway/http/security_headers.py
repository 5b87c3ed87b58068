"""Adds security headers to every response.

A header that is already set stays: GraphiQL has a content security policy of its own.
"""

from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    # Responses are data, not pages. If a browser shows one anyway, it runs and loads nothing.
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",  # for browsers that do not know frame-ancestors
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}

START_MESSAGES = ("http.response.start", "websocket.http.response.start")


class SecurityHeaders:
    """Adds HEADERS to HTTP responses, including those that reject a WebSocket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] in START_MESSAGES:
                _add_headers(message)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _add_headers(message: MutableMapping[str, Any]) -> None:
    headers = list(message.get("headers", ()))
    names = {name.lower() for name, _ in headers}
    message["headers"] = headers + [header for header in HEADERS.items() if header[0] not in names]
