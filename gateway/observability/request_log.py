"""What is known of each request: its id, a line in the log, and its part in the metrics.

The id is the client's own `X-Request-ID` if it is well-formed, else a new one. It comes back with the reply,
and stands in every line of the log that the request causes. The caller is named by the id of its key, never
by the key; the path is named by its route, for what clients write into paths is theirs.
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
"""Asked all the time by machines: their lines are only for who debugs."""
CUT_OFF = 499
"""The status, in log and metrics only, of a request whose client left before any answer."""
FAILED = 500


class Observing:
    """Wraps the application; `access_log` says whether each request gets a line of its own."""

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
    """One request on its way."""

    def __init__(self, scope: Scope, send: Send, metrics: Metrics) -> None:
        self.id = _id_of(scope)
        self.status: int | None = None
        self._scope = scope
        self._send = send
        self._metrics = metrics
        self._began = time.perf_counter()
        self._answered_after: float | None = None
        self._stream: str | None = None

    async def send(self, message: Message) -> None:
        """Send a message of the answer; the first one is given the id."""
        kind = message["type"]
        if kind == "websocket.accept":
            self._answer(101, message, stream=WEBSOCKET)
        elif kind in ("http.response.start", "websocket.http.response.start"):
            self._answer(message["status"], message, stream=EVENTS if _is_event_stream(message) else None)
        await self._send(message)

    def end(self, *, log: bool) -> None:
        """Count the request, and write its line."""
        took = time.perf_counter() - self._began
        status = self.status or CUT_OFF
        route = getattr(self._scope.get("route"), "path", OTHER)
        method = self._scope.get("method", "WEBSOCKET")
        if self._stream:
            self._metrics.stream_closed(self._stream)
        self._metrics.request_answered(route, method, status, self._answered_after or took)
        if log:
            write = get_logger().debug if route in PROBES else get_logger().info
            write("request", method=method, route=route, status=status, milliseconds=round(1_000 * took, 3))

    def _answer(self, status: int, message: Message, *, stream: str | None) -> None:
        self.status = status
        self._answered_after = time.perf_counter() - self._began
        message["headers"] = [*message.get("headers", ()), (HEADER, self.id.encode())]
        if stream:
            self._stream = stream
            self._metrics.stream_opened(stream)


def _id_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == HEADER:
            given: str = value.decode("latin-1")
            # A key sent here by mistake must not get into the log.
            if WELL_FORMED.fullmatch(given) and PREFIX not in given:
                return given
    return uuid4().hex


def _is_event_stream(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message.get("headers", ())
    )
