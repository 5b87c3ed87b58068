"""The rate limit counts the requests of each API key."""

from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from tests.gateway.gateway_world import LATEST
from tests.gateway.served_world import REST, World, a_served_world, bearing, codes
from uplift.domain import Role
from uplift.gateway.auth.keys import create_key, new_token
from uplift.storage.repositories.api_keys import SqlKeys
from uplift.testing.builders import an_id

pytestmark = pytest.mark.anyio

BY_ID = {"instanceIds": [str(an_id(LATEST))]}
RATE = "3/year"
MESSAGE = (
    "Expected at most 3 requests per year from the key '{}', but received more. Nothing was written; "
    "try again in "
)


async def query(world: World, key: str) -> httpx2.Response:
    return await world.ask("{ __typename }", key=key)


async def test_a_key_above_its_rate_limit_learns_when_to_retry(folder: Path) -> None:
    async with a_served_world(folder, rate_limit=RATE) as world:
        assert [(await query(world, world.admin)).status_code for _ in range(3)] == [200] * 3
        before = await world.everything()

        reply = await query(world, world.admin)
        [error] = reply.json()["errors"]
        assert (reply.status_code, error["extensions"]["code"]) == (429, "RATE_LIMITED")
        assert error["message"].startswith(MESSAGE.format("ops"))
        assert int(reply.headers["retry-after"]) == error["extensions"]["retryAfter"] > 0
        assert "data" not in reply.json()

        reply = await world.client.post(REST, json=BY_ID, headers=bearing(world.admin))
        assert (reply.status_code, reply.json()["code"]) == (429, "RATE_LIMITED")
        assert reply.json()["error"].startswith(MESSAGE.format("ops"))
        assert reply.json()["details"] == []
        assert int(reply.headers["retry-after"]) > 0
        reply = await world.client.get(f"/pub/v1/bpm/upgrades/{an_id(1)}", headers=bearing(world.admin))
        assert (reply.status_code, reply.json()["code"]) == (429, "RATE_LIMITED")
        assert await world.everything() == before


async def test_each_key_has_a_rate_of_its_own_whatever_its_name(folder: Path) -> None:
    async with a_served_world(folder, rate_limit=RATE) as world:
        _, namesake = await create_key(SqlKeys(world.store.database), name="old", role=Role.READER)
        for key in (world.admin, world.reader, namesake):
            assert [(await query(world, key)).status_code for _ in range(4)] == [200, 200, 200, 429]


async def test_an_invalid_key_has_no_rate_limit(folder: Path) -> None:
    async with a_served_world(folder, rate_limit=RATE) as world:
        for key in (world.revoked, new_token(), "no key"):
            assert [(await query(world, key)).status_code for _ in range(5)] == [401] * 5


async def test_pages_and_health_are_not_counted(folder: Path) -> None:
    async with a_served_world(folder, rate_limit=RATE) as world:
        for path in ("/healthz", "/readyz", "/openapi.json"):
            replies = [await world.client.get(path, headers=bearing(world.admin)) for _ in range(5)]
            assert [reply.status_code for reply in replies] == [200] * 5
        assert (await query(world, world.admin)).status_code == 200


async def test_there_is_no_rate_unless_one_is_set(folder: Path) -> None:
    async with a_served_world(folder) as world:
        assert {(await query(world, world.admin)).status_code for _ in range(50)} == {200}


def _first(key: str) -> dict[str, object]:
    return {"type": "connection_init", "payload": {"Authorization": f"Bearer {key}"}}


async def test_operations_on_a_websocket_count_towards_the_rate_limit(folder: Path) -> None:
    async with a_served_world(folder, rate_limit=RATE) as world:
        client = TestClient(world.app)
        answers = []
        with client.websocket_connect("/graphql", ["graphql-transport-ws"]) as socket:
            socket.send_json(_first(world.reader))
            assert socket.receive_json() == {"type": "connection_ack"}
            for number in range(3):
                payload = {"query": "{ __typename }"}
                socket.send_json({"type": "subscribe", "id": str(number), "payload": payload})
                answers.append(socket.receive_json())
                if answers[-1]["type"] == "next":
                    assert socket.receive_json()["type"] == "complete"
        assert [answer["type"] for answer in answers] == ["next", "next", "error"]
        [error] = answers[-1]["payload"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert error["extensions"]["retryAfter"] > 0
        with client.websocket_connect("/graphql", ["graphql-transport-ws"]) as socket:
            socket.send_json(_first(world.reader))
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_json()
        assert (closed.value.code, closed.value.reason) == (1013, "Try again later")
        assert codes(await query(world, world.reader)) == ["RATE_LIMITED"]
