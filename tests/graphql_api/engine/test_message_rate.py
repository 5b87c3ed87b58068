"""Tests that messages which begin no operation are bounded, and that other sockets get their turn."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect

from uplift.graphql_api.engine.websocket_protocol import MessageRate, SocketAdapter

pytestmark = pytest.mark.anyio


def floods(rate: MessageRate, caller: str, sockets: int, messages: int) -> Iterator[bool]:
    for _ in range(messages):
        for number in range(sockets):
            yield rate.is_flood((caller, number), caller)


def test_one_socket_may_send_some_messages_at_a_time() -> None:
    now = [0.0]
    rate = MessageRate(lambda: now[0])
    now[0] = 1.0
    assert not any(floods(rate, "a", 1, 64))
    assert all(floods(rate, "a", 1, 5))
    assert not any(floods(rate, "b", 1, 64))
    now[0] = 1.3
    assert not any(floods(rate, "a", 1, 64))


def test_all_sockets_of_a_caller_are_bounded_in_sum() -> None:
    rate = MessageRate(lambda: 1.0)
    assert not any(floods(rate, "a", 200, 4))
    assert all(floods(rate, "a", 200, 1))
    assert not any(floods(rate, "b", 50, 5))


class Packet:
    """A WebSocket on which many messages have arrived at once."""

    def __init__(self, count: int) -> None:
        self.remaining = count

    async def receive_text(self) -> str:
        if not self.remaining:
            raise WebSocketDisconnect
        self.remaining -= 1
        return "{}"


async def test_others_get_their_turn_between_two_messages() -> None:
    turns: list[str] = []

    async def read(name: str) -> None:
        socket: Any = Packet(3)
        messages = SocketAdapter(socket, 1_000).iter_json()
        while await anext(messages, None) is not None:
            turns.append(name)

    await asyncio.gather(read("a"), read("b"))
    assert turns == ["a", "b"] * 3
