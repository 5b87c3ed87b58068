"""Speaks HTTP/1.1 on a connection: httptools reads requests, `Exchange` answers them one after another."""

from collections import deque

import httptools
from starlette.types import Scope

from uplift.gateway.observability.refusals import ConnectionRefusal
from uplift.gateway.server.bounds import (
    KEEP_ALIVE_SECONDS,
    MAX_FRAMING_BYTES,
    MAX_HEAD_BYTES,
    MAX_PIPELINED,
    READ_BYTES,
)
from uplift.gateway.server.connection import Connection
from uplift.gateway.server.protocol.exchange import Exchange
from uplift.gateway.server.protocol.request_head import TOO_LARGE, Flaw, RequestHead, Target
from uplift.gateway.server.protocol.websocket_handler import WebSocketHandler
from uplift.gateway.server.protocol.websocket_handshake import handshake_of

MALFORMED = Flaw(status=400, message="Expected an HTTP/1.1 request, but got something else.")
TOO_SLOW = Flaw(
    status=408,
    message="Expected the head of the request within the time limit.",
    reason=ConnectionRefusal.HEAD_TOO_SLOW,
)
TOO_MUCH_FRAMING = Flaw(
    status=400,
    message=f"Expected at most {MAX_FRAMING_BYTES:,} bytes of chunk sizes and trailers.",
    reason=ConnectionRefusal.BODY_FRAMING,
)
BAD_HANDSHAKE = Flaw(
    status=400,
    message="Expected a WebSocket handshake to be a GET request without a body, after all responses.",
)


class HttpHandler:
    """The HTTP side of a connection. httptools calls its `on_…` methods."""

    read_bytes = READ_BYTES

    def __init__(self, connection: Connection, *, websockets: bool) -> None:
        self._connection = connection
        self._websockets = websockets
        self._parser = _parser(self)
        self._head: RequestHead | None = None
        self._receiving: Exchange | None = None
        self._answering: Exchange | None = None
        self._queue: deque[Exchange] = deque()
        self._flaw: Flaw | None = None
        self._handshake: Scope | None = None
        self._framing: bytes | None = None
        self._skips_head = False
        self._unframed = 0
        self._ended_in_read = False
        self._is_first = True
        self._closing = False
        self._waiting_since = self._head_since = connection.loop.time()

    # Handler

    def received(self, data: memoryview) -> None:
        if self._flaw is not None:
            return  # the connection closes: nothing more is read
        self._ended_in_read = False
        self._feed(data)
        self._unframed += len(data)
        self._check_sizes()
        if self._flaw is not None:
            self._refuse(self._flaw)

    def lost(self) -> None:
        for exchange in (self._answering, *self._queue):
            if exchange:
                exchange.lose()
        self._queue.clear()

    def check(self, now: float) -> None:
        if self._answering is not None:
            return
        if self._head is not None:
            if now - self._head_since > self._connection.bounds.head_seconds:
                self._connection.refuse(TOO_SLOW.reason, TOO_SLOW.status, TOO_SLOW.message)
        elif now - self._waiting_since > (
            self._connection.bounds.head_seconds if self._is_first else KEEP_ALIVE_SECONDS
        ):
            self._connection.close()

    def shutdown(self) -> None:
        self._closing = True
        if self._answering is None:
            self._connection.close()
        else:
            self._answering.keep_alive = False

    # httptools

    def on_message_begin(self) -> None:
        if self._skips_head:
            return
        self._head = RequestHead()
        self._head_since = self._connection.loop.time()
        self._receiving = None
        # Only bytes of this head may count, but where in the read it begins is unknown.
        self._unframed = -READ_BYTES if self._ended_in_read else 0

    def on_url(self, url: bytes) -> None:
        if self._head is not None:
            self._head.add_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head is not None:  # else it is a trailer, which nobody reads (RFC 9110, section 6.5.1)
            self._head.add_header(name, value)

    def on_headers_complete(self) -> None:
        head, self._head = self._head, None
        if head is None or self._flaw is not None or self._closing:
            return
        version, method = self._parser.get_http_version(), self._parser.get_method()
        flaw = head.check(version=version, method=method)
        target = head.target() if flaw is None else flaw
        if isinstance(target, Flaw):
            self._flaw = target
            return
        scope = self._scope(head, target, version=version, method=method)
        if self._parser.should_upgrade():
            if self._websockets and version == "1.1" and head.upgrades == [b"websocket"]:
                self._begin_handshake(head, scope)
                return
            self._framing = _framing(head)
        self._begin_exchange(head, scope, keep_alive=version == "1.1" and self._parser.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        self._unframed = 0
        if self._receiving is not None:
            self._receiving.add_body(body)

    def on_message_complete(self) -> None:
        if self._framing is None and self._receiving is not None:
            self._receiving.end_body()
            self._receiving = None
        self._unframed = 0
        self._ended_in_read = True

    def _scope(self, head: RequestHead, target: Target, *, version: str, method: bytes) -> Scope:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "server": self._connection.server,
            "client": self._connection.client,
            "scheme": "http",
            "method": method.decode("ascii"),
            "root_path": "",
            "path": target.path,
            "raw_path": target.raw_path,
            "query_string": target.query,
            "headers": head.headers,
            "state": self._connection.app_state.copy(),
        }

    def _feed(self, data: memoryview) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError:  # an exception in a method above
            raise
        except httptools.HttpParserError:
            self._flaw = self._flaw or MALFORMED

    # exchanges

    def _begin_exchange(self, head: RequestHead, scope: Scope, *, keep_alive: bool) -> None:
        exchange = Exchange(
            self._connection,
            scope,
            keep_alive=keep_alive,
            expects_continue=head.expects_continue and scope["http_version"] == "1.1",
            on_end=self._end_exchange,
        )
        self._receiving = exchange
        self._is_first = False
        if self._answering is None:
            self._answer(exchange)
        else:
            self._queue.append(exchange)
            if len(self._queue) == MAX_PIPELINED:
                # The client sends the others again on another connection (RFC 9112, section 9.3.2).
                exchange.keep_alive = False
                self._closing = True

    def _answer(self, exchange: Exchange) -> None:
        self._answering = exchange
        exchange.run()

    def _end_exchange(self) -> None:
        """The response is complete: answer the next request, wait for one, or close."""
        exchange, self._answering = self._answering, None
        assert exchange is not None
        self._waiting_since = self._head_since = self._connection.loop.time()
        if not exchange.received_all:
            # The rest of the body would be read in vain.
            self._connection.close_unread()
        elif not exchange.keep_alive:
            self._connection.close()
        elif self._queue:
            self._answer(self._queue.popleft())
        elif self._flaw is not None:
            self._refuse(self._flaw)
        else:
            self._connection.resume_reading()

    def _check_sizes(self) -> None:
        if self._flaw is None and self._head is not None:
            if self._head.flaw is not None:
                self._flaw = self._head.flaw
            elif self._unframed > MAX_HEAD_BYTES:
                self._flaw = TOO_LARGE
        elif self._flaw is None and self._receiving is not None and self._unframed > MAX_FRAMING_BYTES:
            self._flaw = TOO_MUCH_FRAMING
        if self._queue or (self._receiving is not None and self._receiving.unread >= READ_BYTES):
            self._connection.pause_reading()

    def _refuse(self, flaw: Flaw) -> None:
        """Refuse the request that is read now, after the responses to the requests before it."""
        exchange, self._receiving = self._receiving, None
        if exchange is not None and exchange is self._answering:
            if exchange.started:
                self._connection.cut_off(flaw.reason, flaw.message)
                return
        elif exchange is not None:
            self._queue.remove(exchange)
            exchange = None
        if exchange is None and (self._answering is not None or self._queue):
            self._connection.pause_reading()
            return
        self._connection.refuse(flaw.reason, flaw.status, flaw.message)

    # upgrades

    def _begin_handshake(self, head: RequestHead, scope: Scope) -> None:
        if scope["method"] != "GET" or _framing(head) is not None or self._answering is not None:
            self._flaw = BAD_HANDSHAKE
        else:
            self._handshake = scope

    def _upgrade(self, rest: memoryview) -> None:
        """Take an upgrade to WebSocket. Ignore any other: read on as without it (RFC 9110, section 7.8)."""
        if self._handshake is not None:
            handshake = handshake_of(self._handshake)
            if isinstance(handshake, Flaw):
                self._flaw = handshake
                return
            handler = WebSocketHandler(self._connection, handshake, bytes(rest))
            self._connection.switch(handler)
            handler.start()
            return
        framing, self._framing = self._framing, None
        if self._flaw is not None:
            return
        # httptools has stopped after the head. A new parser reads the body, after a head that frames it.
        self._parser = _parser(self)
        if framing is not None:
            self._skips_head = True
            self._parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n\r\n" % framing)
            self._skips_head = False
        self._feed(rest)


def _parser(handler: HttpHandler) -> httptools.HttpRequestParser:
    parser = httptools.HttpRequestParser(handler)
    # Otherwise bytes after a request with `Connection: close` are an error before it is answered.
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def _framing(head: RequestHead) -> bytes | None:
    """The header that says where the body ends; None without a body."""
    if b"transfer-encoding" in head.single:
        return b"transfer-encoding: chunked"
    length = head.single.get(b"content-length", b"0").strip()
    return b"content-length: " + length if length.strip(b"0") else None
