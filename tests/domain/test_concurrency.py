"""Tests that long lists are processed in pieces, between which others run."""

import asyncio
import math
import socket
import time
from collections.abc import Sequence

import pytest

from uplift.domain.concurrency import MAX_DELAY, let_requests_go_first, pieces

pytestmark = pytest.mark.anyio


async def pieces_of(count: int) -> list[tuple[int, Sequence[int]]]:
    return [piece async for piece in pieces(range(count), 3)]


async def test_a_long_list_comes_in_pieces_with_the_index_of_their_first_item() -> None:
    assert await pieces_of(0) == [(0, range(0))]
    assert await pieces_of(3) == [(0, range(3))]
    assert await pieces_of(7) == [(0, range(3)), (3, range(3, 6)), (6, range(6, 7))]


async def test_others_run_between_two_pieces() -> None:
    turns: list[str] = []

    async def other() -> None:
        for _ in range(2):
            turns.append("other")
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    async for start, _ in pieces(range(7), 3):
        turns.append(f"from {start}")
    await task
    assert turns == ["from 0", "other", "from 3", "other", "from 6"]


async def test_a_request_that_has_arrived_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uplift.domain.concurrency.MAX_DELAY", math.inf)  # a busy machine may take longer
    loop, answered = asyncio.get_running_loop(), asyncio.Event()
    here, there = socket.socketpair()
    with here, there:

        async def answer() -> None:
            answered.set()

        def read() -> None:
            requests.append(loop.create_task(answer()))
            loop.remove_reader(here)

        requests: list[asyncio.Task[None]] = []
        loop.add_reader(here, read)
        there.send(b"?")
        await let_requests_go_first()
        assert answered.is_set()


async def test_a_busy_event_loop_delays_the_caller_for_one_pass() -> None:
    loop, passes, is_over = asyncio.get_running_loop(), 0, False

    def take_long() -> None:
        nonlocal passes
        if not is_over:
            passes += 1
            time.sleep(1.2 * MAX_DELAY)
            loop.call_soon(take_long)

    loop.call_soon(take_long)
    await let_requests_go_first()
    is_over = True
    assert passes == 1
