"""Tests that the requests of all clients take bounded memory together, and a caller leaves room to others."""

import asyncio
from contextlib import ExitStack

import pytest
from starlette.types import Message

from uplift.web import request_memory
from uplift.web.body import read_json_body
from uplift.web.errors import RequestError
from uplift.web.json_limits import MAX_VALUES
from uplift.web.request_memory import (
    CALLER_VALUES,
    MIN_BYTES,
    SMALL_BYTES,
    SMALL_VALUES,
    HeldRequest,
    RequestMemory,
)

pytestmark = pytest.mark.anyio

MIB = 2**20
HALF = MIN_BYTES // 2


@pytest.fixture
def memory() -> RequestMemory:
    return RequestMemory(max_body_bytes=MIB)


def refusal(held: HeldRequest, count: int) -> tuple[int, str, str]:
    with pytest.raises(RequestError) as refused:
        held.add_bytes(count)
    return refused.value.status, refused.value.code, refused.value.headers["retry-after"]


def test_refuses_a_caller_with_half_of_all_bytes_and_no_other(memory: RequestMemory) -> None:
    with memory.held("greedy") as held, memory.held("greedy") as small, memory.held("other") as other:
        held.add_bytes(HALF)
        assert refusal(held, 1) == (429, "LIMIT_EXCEEDED", "2")
        small.add_bytes(SMALL_BYTES)
        other.add_bytes(HALF - SMALL_BYTES)
    with memory.held("greedy") as held:
        held.add_bytes(HALF)  # what ended counts no longer


def test_refuses_everybody_when_the_server_is_full(memory: RequestMemory) -> None:
    with ExitStack() as stack:
        for caller in ("first", "second"):
            stack.enter_context(memory.held(caller)).add_bytes(HALF)
        third = stack.enter_context(memory.held("third"))
        assert refusal(third, SMALL_BYTES + 1) == (503, "LIMIT_EXCEEDED", "2")
        third.add_bytes(SMALL_BYTES)
        assert refusal(third, 1)[0] == 503


async def test_refuses_an_announced_body_without_reading_it(memory: RequestMemory) -> None:
    async def receive() -> Message:
        raise AssertionError("it read the body")

    with memory.held("greedy") as earlier, memory.held("greedy") as held:
        earlier.add_bytes(HALF - MIB)
        with pytest.raises(RequestError) as refused:
            await read_json_body(receive, held, content_length=str(MIB + 1), max_bytes=2 * MIB, max_seconds=1)
        assert refused.value.status == 429


async def test_a_body_that_arrives_slowly_counts_as_it_arrives(memory: RequestMemory) -> None:
    stalled = asyncio.Event()
    parts = [b" " * MIB]

    async def receive() -> Message:
        if not parts:
            stalled.set()
            await asyncio.Event().wait()
        return {"type": "http.request", "body": parts.pop(), "more_body": True}

    with memory.held("greedy") as slow, memory.held("greedy") as held:
        reading = asyncio.create_task(
            read_json_body(receive, slow, content_length=None, max_bytes=2 * MIB, max_seconds=60)
        )
        await stalled.wait()
        held.add_bytes(HALF - MIB)
        assert refusal(held, 1)[0] == 429
        reading.cancel()


async def test_many_values_wait_until_earlier_ones_are_answered(memory: RequestMemory) -> None:
    with ExitStack() as first, memory.held("greedy") as second, memory.held("other") as other:
        await first.enter_context(memory.held("greedy")).add_values(MAX_VALUES)
        waiting = asyncio.create_task(second.add_values(MAX_VALUES))
        await asyncio.sleep(0)
        await other.add_values(MAX_VALUES)
        assert not waiting.done()
        first.close()
        await waiting


async def test_a_caller_with_many_values_waits_with_the_next_ones(memory: RequestMemory) -> None:
    with ExitStack() as first, memory.held("greedy") as second, memory.held("other") as other:
        await first.enter_context(memory.held("greedy")).add_values(CALLER_VALUES)
        await first.enter_context(memory.held("greedy")).add_values(SMALL_VALUES)
        waiting = asyncio.create_task(second.add_values(SMALL_VALUES + 1))
        await asyncio.sleep(0)
        await other.add_values(CALLER_VALUES)
        assert not waiting.done()
        first.close()
        await waiting


async def test_values_do_not_wait_for_ever(memory: RequestMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_memory, "WAIT_SECONDS", 0.01)
    with memory.held("greedy") as first, memory.held("greedy") as second:
        await first.add_values(MAX_VALUES)
        with pytest.raises(RequestError) as refused:
            await second.add_values(MAX_VALUES)
        assert refused.value.status == 503
        await second.add_values(1)  # few values never wait
