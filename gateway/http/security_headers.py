"""Which headers tell browsers to be careful with every reply of the gateway?

Only what is not set already is added: GraphiQL has a policy of its own.
"""

from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    # Replies are data, not pages: if a browser shows one all the same, nothing in it runs or is loaded.
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",  # for browsers that do not know frame-ancestors
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}

STARTS = ("http.response.start", "websocket.http.response.start")


class SecurityHeaders:
    """Adds HEADERS to what an application answers, over HTTP or in place of a WebSocket."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] in STARTS:
                _add_headers(message)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _add_headers(message: MutableMapping[str, Any]) -> None:
    given = list(message.get("headers", ()))
    names = {name.lower() for name, _ in given}
    message["headers"] = given + [header for header in HEADERS.items() if header[0] not in names]
