"""How long may a client take for the head of a request, and how large may it be?

uvicorn bounds neither: who opens connections and sends a byte now and then could hold them for ever.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024
"""Of a head that comes in several parts; one that comes at once is bounded by what a socket holds."""

TOO_SLOW = ("408 Request Timeout", "Expected the whole head of the request sooner.")
TOO_LARGE = ("431 Request Header Fields Too Large", f"Expected a head of at most {MAX_HEAD_BYTES:,} bytes.")


def punctual_http(seconds: float) -> type[asyncio.Protocol]:
    """The protocol for `uvicorn.Config(http=…)` that waits so long for each head."""
    return type("PunctualHttp", (PunctualHttp,), {"head_seconds": seconds})


class PunctualHttp(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with both bounds. A head that comes at once, as nearly all do, costs no timer."""

    head_seconds = 20.0
    _due: asyncio.TimerHandle | None = None
    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._in_head or self.transport.is_closing():
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(*TOO_LARGE)
        elif self._due is None:
            self._wait_for_head()

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def _wait_for_head(self) -> None:
        self._due = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self) -> None:
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
