"""Reports to the server that the caller of a WebSocket is authenticated: an extension of ASGI.

Until then the server accepts only a few KiB from the client. A server without the extension ignores it.
"""

from starlette.types import Scope, Send

AUTHENTICATED = "uplift.websocket.authenticated"
"""The name in the scope's `extensions`, and the type of the message."""


async def report_authenticated(scope: Scope, send: Send) -> None:
    """Let the server accept messages up to their full size."""
    if AUTHENTICATED in scope.get("extensions", {}):
        await send({"type": AUTHENTICATED})
