"""Tests that responses which wait for slow clients take bounded memory together."""

from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from uplift.gateway.observability.refusals import ConnectionRefusal
from uplift.gateway.server.unread import Unread

pytestmark = pytest.mark.anyio


@dataclass(eq=False, kw_only=True)
class Client:
    network: str
    waits: float
    refused: list[ConnectionRefusal] = field(default_factory=list)

    def waited(self, now: float) -> float:
        assert now > 0
        return self.waits

    def cut_off(self, reason: ConnectionRefusal, message: str) -> None:
        assert message == "Expected at most 100 bytes that wait for clients to read, but there are more."
        self.refused.append(reason)


def an_unread() -> Unread:
    networks: dict[object, str] = {}

    def network_of(reader: object) -> str:
        assert isinstance(reader, Client)
        return networks.setdefault(reader, reader.network)

    return Unread(network_of, limit=100)


async def test_cuts_off_the_slowest_client_of_the_network_that_has_most() -> None:
    unread = an_unread()
    other = Client(network="b", waits=50)
    slower, faster = Client(network="a", waits=9), Client(network="a", waits=2)
    with ExitStack() as stack:
        for client, count in ((other, 30), (faster, 35), (slower, 35)):
            stack.enter_context(unread.held(client, count))
        assert not slower.refused
        stack.enter_context(unread.held(faster, 1))
        assert [client.refused for client in (other, slower, faster)] == [
            [],
            [ConnectionRefusal.UNREAD_BYTES],
            [],
        ]
        stack.enter_context(unread.held(other, 34))  # what was cut off counts no longer


async def test_cuts_off_as_many_as_are_too_many() -> None:
    unread = an_unread()
    clients = [Client(network="a", waits=1 + number) for number in range(4)]
    with ExitStack() as stack:
        for client in clients:
            stack.enter_context(unread.held(client, 25))
        stack.enter_context(unread.held(Client(network="b", waits=0), 60))
        assert [bool(client.refused) for client in clients] == [False, True, True, True]


async def test_cuts_off_nobody_who_reads() -> None:
    unread = an_unread()
    reader = Client(network="a", waits=0)
    with unread.held(reader, 90), unread.held(reader, 90):
        assert not reader.refused
    late = Client(network="a", waits=1)
    with unread.held(late, 100):  # what was read counts no longer
        assert not late.refused


async def test_a_client_that_stops_reading_is_cut_off_at_the_next_look() -> None:
    unread = an_unread()
    reader = Client(network="a", waits=0)
    with unread.held(reader, 101):
        assert not reader.refused
        reader.waits = 1
        unread.cut_off_above_limit()
        assert reader.refused == [ConnectionRefusal.UNREAD_BYTES]
