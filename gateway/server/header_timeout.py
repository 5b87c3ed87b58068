"""Limits the time and size of a request's head.

uvicorn limits neither, so a client that sends a byte now and then could hold a connection forever.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Limit for a head that arrives in several parts. The socket's buffer limits one that arrives whole."""

TOO_SLOW = ("408 Request Timeout", "Expected the head of the request within the time limit.")
TOO_LARGE = ("431 Request Header Fields Too Large", f"Expected a head of at most {MAX_HEAD_BYTES:,} bytes.")


def http_with_header_timeout(seconds: float) -> type[asyncio.Protocol]:
    """The protocol for `uvicorn.Config(http=…)` that waits this long for each head."""
    return type("HeaderTimeoutProtocol", (HeaderTimeoutProtocol,), {"head_seconds": seconds})


class HeaderTimeoutProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with both limits. A head that arrives whole, as nearly all do, starts no timer."""

    head_seconds = 20.0
    _timer: asyncio.TimerHandle | None = None
    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(*TOO_LARGE)
        elif self._timer is None:
            self._start_timer()

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._cancel_timer()
        super().on_headers_complete()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.head_seconds, self._head_timed_out)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _head_timed_out(self) -> None:
        if self._in_head:
            self._refuse(*TOO_SLOW)
        else:
            self.transport.close()

    def _refuse(self, status: str, why: str) -> None:
        head = (
            f"HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {len(why)}\r\n"
        )
        self.transport.write(f"{head}connection: close\r\n\r\n{why}".encode("ascii"))
        self.transport.close()
