"""Tests that a body is read within its limits of size and time."""

import asyncio
from collections.abc import Iterable

import pytest
from starlette.types import Message

from uplift.web.body import read_json_body
from uplift.web.errors import RequestError
from uplift.web.request_memory import HeldRequest, RequestMemory

pytestmark = pytest.mark.anyio

LIMIT = 10


class Parts:
    """A body in parts that counts those that have been received."""

    def __init__(self, *parts: bytes, ends: bool = True) -> None:
        self.received = 0
        self._parts = parts
        self._ends = ends

    async def receive(self) -> Message:
        if self.received == len(self._parts):
            await asyncio.Event().wait()
        self.received += 1
        more = not self._ends or self.received < len(self._parts)
        return {"type": "http.request", "body": self._parts[self.received - 1], "more_body": more}


async def read(parts: Parts, content_length: str | bytes | None = None) -> bytes:
    return await read_json_body(
        parts.receive, a_held_request(), content_length=content_length, max_bytes=LIMIT, max_seconds=0.05
    )


def a_held_request() -> HeldRequest:
    return HeldRequest(RequestMemory(max_body_bytes=LIMIT), "a caller")


async def refusal(parts: Parts, content_length: str | bytes | None = None) -> RequestError:
    with pytest.raises(RequestError) as refused:
        await read(parts, content_length)
    return refused.value


@pytest.mark.parametrize("parts", [[b""], [b"0123456789"], [b"01234", b"", b"56789"], [b"x"] * LIMIT])
async def test_reads_all_parts_up_to_the_limit(parts: Iterable[bytes]) -> None:
    assert await read(Parts(*parts)) == b"".join(parts)


@pytest.mark.parametrize("content_length", ["11", b"11", "1000000"])
async def test_reads_nothing_of_a_body_that_is_announced_as_too_large(content_length: str | bytes) -> None:
    parts = Parts(b"x")
    error = await refusal(parts, content_length)
    assert (error.status, error.code, parts.received) == (413, "LIMIT_EXCEEDED", 0)
    assert error.message == f"Expected a body of at most 10 bytes, but it has {int(content_length):,}."


@pytest.mark.parametrize("content_length", [None, "", "1", "much"])
async def test_counts_a_body_whatever_its_announced_length(content_length: str | None) -> None:
    parts = Parts(b"01234", b"56789", b"0", b"1")
    error = await refusal(parts, content_length)
    assert (error.status, error.message) == (413, "Expected a body of at most 10 bytes, but it has more.")
    assert parts.received == 3


async def test_refuses_a_slow_body_and_closes_its_connection() -> None:
    error = await refusal(Parts(b"0", ends=False))
    assert (error.status, error.code, error.headers) == (408, "LIMIT_EXCEEDED", {"connection": "close"})
    assert error.message == "Expected the whole body within 0.05 seconds, but it took longer."


async def test_refuses_a_body_that_its_client_cut_off() -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b"0", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    with pytest.raises(RequestError) as refused:
        await read_json_body(receive, a_held_request(), content_length="2", max_bytes=LIMIT, max_seconds=1)
    assert (refused.value.status, refused.value.code) == (400, "BAD_REQUEST")
