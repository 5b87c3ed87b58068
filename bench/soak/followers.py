"""Clients that follow upgrades over WebSockets and server-sent events until they end."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import httpx2
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.soak.client import TIMEOUT, Client, Shift
from uplift.domain import UpgradeId

SUBSCRIPTION = "subscription($id: UUID!) { upgradeProgress(id: $id) { state total upgraded skipped } }"
ENDED = ("COMPLETED", "CANCELLED", "FAILED")
PROTOCOL = Subprotocol("graphql-transport-ws")
A_MOMENT = 0.02
LEAVING = 0.2
"""The fraction of subscriptions that a follower closes before the upgrade ends."""


class Follower:
    """Follows one upgrade after another."""

    def __init__(self, client: Client, url: str, key: str) -> None:
        self._client = client
        self._ledger = client.ledger
        self._socket_url = url.replace("http", "ws", 1) + "/graphql"
        self._headers = {"authorization": f"Bearer {key}"}

    async def work(self, shift: Shift) -> None:
        await self._client.in_rounds([self.by_socket, self.by_events], shift)

    async def by_socket(self) -> None:
        upgrade = await self._any_upgrade()
        events = socket_events(self._socket_url, self._headers, upgrade)
        await self._follow("followed by WebSocket", upgrade, events)

    async def by_events(self) -> None:
        upgrade = await self._any_upgrade()
        events = sent_events(self._client.http, upgrade)
        await self._follow("followed by server-sent events", upgrade, events)

    async def _follow(self, operation: str, upgrade: UpgradeId, events: AsyncGenerator[Any]) -> None:
        leaves = self._client.chance.random() < LEAVING
        total, state = -1, None
        with self._client.measures.timing(operation):
            async with asyncio.timeout(TIMEOUT), aclosing(events) as received:
                async for event in received:
                    assert state not in ENDED, f"{operation}: an event after the end"
                    assert event["total"] == event["upgraded"] + event["skipped"] >= total, event
                    total, state = event["total"], event["state"]
                    if leaves:
                        self._client.measures.hung_up[operation] += 1
                        return
        assert state in ENDED, f"{operation}: the stream of {upgrade} ended while it was {state}"
        self._ledger.seen(upgrade, state)

    async def _any_upgrade(self) -> UpgradeId:
        """A random unfinished upgrade, or the latest one if all are finished."""
        while not self._ledger.upgrades:
            await asyncio.sleep(A_MOMENT)
        return self._client.chance.choice(sorted(self._ledger.unfinished) or list(self._ledger.upgrades)[-1:])


async def socket_events(url: str, headers: Mapping[str, str], upgrade: UpgradeId) -> AsyncGenerator[Any]:
    """The progress of an upgrade until its end, over a WebSocket."""
    async with connect(url, subprotocols=[PROTOCOL], additional_headers=headers) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        operation = {"query": SUBSCRIPTION, "variables": {"id": str(upgrade)}}
        await socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": operation}))
        while (message := json.loads(await socket.recv()))["type"] != "complete":
            yield _event(message["payload"])


async def sent_events(http: httpx2.AsyncClient, upgrade: UpgradeId) -> AsyncGenerator[Any]:
    """The progress of an upgrade until its end, as server-sent events."""
    operation = {"query": SUBSCRIPTION, "variables": {"id": str(upgrade)}}
    headers = {"accept": "text/event-stream"}
    async with http.stream("POST", "/graphql", json=operation, headers=headers) as reply:
        assert reply.status_code == 200, reply.status_code
        async for line in reply.aiter_lines():
            if line.startswith("data: {"):
                yield _event(json.loads(line.removeprefix("data: ")))


def _event(payload: Any) -> Any:
    assert "errors" not in payload, payload
    return payload["data"]["upgradeProgress"]
