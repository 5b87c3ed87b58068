"""Gives each request an id, a log line and its part in the metrics.

The id is the client's `X-Request-ID` if it is well-formed, else a new one. The response has it as a header,
and every log line of the request has it as `request_id`. Log lines name the caller by the id of its API key,
never by the key, and the path by its route, because paths can contain a client's data.
"""

import re
import time
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog import get_logger
from structlog.contextvars import bound_contextvars

from uplift.gateway.auth.keys import PREFIX
from uplift.gateway.observability.metrics import EVENTS, OTHER, WEBSOCKET, Metrics

HEADER = b"x-request-id"
WELL_FORMED = re.compile(r"[\w.~+/=:@-]{1,128}", re.ASCII)
PROBES = frozenset({"/healthz", "/readyz"})
"""Machines call these every few seconds, so their lines have level debug."""
CLIENT_GONE = 499
"""The status, in log and metrics only, of a request whose client disconnected before the response."""
FAILED = 500


class RequestLog:
    """ASGI middleware around the whole application. `access_log` turns the line of each request on."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, access_log: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request = _Request(scope, send, self._metrics)
        with bound_contextvars(request_id=request.id, key_id=None):
            try:
                await self._app(scope, receive, request.send)
            except Exception:
                request.status = request.status or FAILED
                raise
            finally:
                request.end(log=self._access_log)


class _Request:
    """One request, from its start until its response is sent."""

    def __init__(self, scope: Scope, send: Send, metrics: Metrics) -> None:
        self.id = _id_of(scope)
        self.status: int | None = None
        self._scope = scope
        self._send = send
        self._metrics = metrics
        self._started_at = time.perf_counter()
        self._response_delay: float | None = None
        self._stream: str | None = None

    async def send(self, message: Message) -> None:
        """Send a message of the response. Adds the id to the first one."""
        kind = message["type"]
        if kind == "websocket.accept":
            self._note_response(101, message, stream=WEBSOCKET)
        elif kind in ("http.response.start", "websocket.http.response.start"):
            self._note_response(
                message["status"], message, stream=EVENTS if _is_event_stream(message) else None
            )
        await self._send(message)

    def end(self, *, log: bool) -> None:
        """Count the request, and write its log line."""
        duration = time.perf_counter() - self._started_at
        status = self.status or CLIENT_GONE
        route = getattr(self._scope.get("route"), "path", OTHER)
        method = self._scope.get("method", "WEBSOCKET")
        if self._stream:
            self._metrics.stream_closed(self._stream)
        self._metrics.request_answered(route, method, status, self._response_delay or duration)
        if log:
            write = get_logger().debug if route in PROBES else get_logger().info
            write(
                "request",
                method=method,
                route=route,
                status=status,
                milliseconds=round(1_000 * duration, 3),
                client=(self._scope.get("client") or (None,))[0],
            )

    def _note_response(self, status: int, message: Message, *, stream: str | None) -> None:
        self.status = status
        self._response_delay = time.perf_counter() - self._started_at
        message["headers"] = [*message.get("headers", ()), (HEADER, self.id.encode())]
        if stream:
            self._stream = stream
            self._metrics.stream_opened(stream)


def _id_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == HEADER:
            request_id: str = value.decode("latin-1")
            # A client may send its API key here by mistake: it must not reach the log.
            if WELL_FORMED.fullmatch(request_id) and PREFIX not in request_id:
                return request_id
    return uuid4().hex


def _is_event_stream(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message.get("headers", ())
    )
