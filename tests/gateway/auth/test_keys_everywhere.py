"""Two gateways on one database agree on API keys, and log none of them."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.gateway.gateway_world import (
    TIMEOUT,
    Place,
    Program,
    a_key,
    execute,
    leave_queued,
    output_of,
    started,
    url_of,
    with_store,
)
from tests.gateway.served_world import REST, bearing
from uplift.domain import Upgrade, pause_upgrade
from uplift.gateway.auth.keys import new_token
from uplift.storage.store import SqlStore
from uplift.testing.builders import ADMIN, an_id
from uplift.testing.stores import upgrades_of

SAYS_EVERYTHING = {"UPLIFT_LOG_LEVEL": "debug", "UPLIFT_LOG_FORMAT": "json"}
QUERY = {"query": "{ __typename }"}


def statuses(gateways: list[Program], key: str) -> set[int]:
    """The statuses with which the gateways answer this key, over both APIs."""
    found = set()
    for gateway in gateways:
        url = gateway.url()
        found.add(httpx2.post(f"{url}/graphql", json=QUERY, headers=bearing(key)).status_code)
        found.add(httpx2.post(f"{url}{REST}", json={}, headers=bearing(key)).status_code)
    return found


def ask_in_every_way(url: str, key: str) -> None:
    """Send the key wherever a client could send it, rightly or by mistake."""
    for path in ("/graphql", REST, "/nowhere"):
        httpx2.post(url + path, json=QUERY, headers=bearing(key))
        httpx2.post(url + path, json=QUERY, headers={"authorization": key})
        httpx2.post(url + path, json=QUERY, headers={**bearing(key), "origin": "https://evil.example"})
        httpx2.post(url + path, content=b"[", headers={**bearing(key), "content-type": "application/json"})
        httpx2.get(url + path, headers=bearing(key))
    with connect(f"ws{url[4:]}/graphql", subprotocols=[Subprotocol("graphql-transport-ws")]) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {key}"}}))
        assert json.loads(socket.recv())["type"] == "connection_ack"
        socket.send(json.dumps({"type": "subscribe", "id": "1", "payload": QUERY}))
        assert json.loads(socket.recv())["type"] == "next"


@pytest.fixture
def paused(database: Place) -> Upgrade:
    """A paused upgrade, which is there before any worker is."""

    async def pause(store: SqlStore) -> Upgrade:
        await leave_queued(store)
        [upgrade] = await upgrades_of(store)
        return await pause_upgrade(store, upgrade.id, caller=ADMIN)

    return with_store(database, pause)


@contextmanager
def open_streams(url: str, key: str, upgrade: Upgrade) -> Iterator[Callable[[], list[Any]]]:
    """An idle WebSocket, one with a subscription, and an event stream; yields how each of them ends."""
    query = {"query": f'subscription {{ upgradeProgress(id: "{upgrade.id}") {{ state }} }}'}
    all_upgrades = {"query": "subscription { upgradesChanged { state } }"}
    address, headers = f"{url}/graphql", {**bearing(key), "accept": "text/event-stream"}
    protocols = [Subprotocol("graphql-transport-ws")]
    with (
        connect(f"ws{address[4:]}", subprotocols=protocols, additional_headers=bearing(key)) as idle,
        connect(f"ws{address[4:]}", subprotocols=protocols, additional_headers=bearing(key)) as busy,
        httpx2.stream("POST", address, json=all_upgrades, headers=headers, timeout=TIMEOUT) as events,
    ):
        lines = events.iter_lines()
        for socket in (idle, busy):
            socket.send(json.dumps({"type": "connection_init"}))
            assert json.loads(socket.recv())["type"] == "connection_ack"
        busy.send(json.dumps({"type": "subscribe", "id": "1", "payload": query}))
        assert json.loads(busy.recv())["payload"]["data"] == {"upgradeProgress": {"state": "PAUSED"}}
        assert (next(lines), next(lines)[:5]) == ("event: next", "data:")

        def ends() -> list[Any]:
            closed = []
            for socket in (idle, busy):
                with pytest.raises(ConnectionClosed) as raised:
                    socket.recv(TIMEOUT)
                closed.append(raised.value.rcvd and (raised.value.rcvd.code, raised.value.rcvd.reason))
            sent = [line for line in lines if line and not line.startswith(":")]
            error = json.loads(sent[1].removeprefix("data: "))["errors"][0]["extensions"]
            return [*closed, sent[0], error, *sent[2:]]

        yield ends


ENDED = [
    (4403, "The API key is no longer valid."),
    (4403, "The API key is no longer valid."),
    "event: next",
    {"code": "UNAUTHENTICATED"},
    "event: complete",
    "data: ",
]


@pytest.fixture
def gateways(
    database: Place, paused: Upgrade, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Program]]:
    """Two programs that serve the same database, and log at level debug."""
    url = {"UPLIFT_DATABASE_URL": url_of(database), **SAYS_EVERYTHING}
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    with (
        started("serve", "--port=0", folder=first, **url) as first_gateway,
        started("serve", "--port=0", folder=second, **url) as second_gateway,
    ):
        first_gateway.url()
        yield [first_gateway, second_gateway]


def test_two_gateways_refuse_a_key_at_once_end_its_streams_count_its_uses_and_never_log_it(
    database: Place, paused: Upgrade, gateways: list[Program]
) -> None:
    revoked, key = a_key(database)
    _, brief_key = a_key(database, name="brief")
    _, other_key = a_key(database, name="other")
    for api_key in (key, brief_key, other_key):
        assert statuses(gateways, api_key) == {200, 400}

    with (
        open_streams(gateways[0].url(), key, paused) as ends,
        open_streams(gateways[1].url(), brief_key, paused) as brief_ends,
        open_streams(gateways[1].url(), other_key, paused),
    ):
        assert output_of("keys", "revoke", str(revoked.id)) == f"Revoked {revoked.id}.\n"
        assert statuses(gateways, key) == {401}
        # The programs have a real clock: wait until the key has expired.
        execute(database, "UPDATE api_key SET expires_at = created_at WHERE name = 'brief'")
        assert statuses(gateways, brief_key) == {401}
        assert ends() == ENDED
        assert brief_ends() == ENDED
    assert statuses(gateways, other_key) == {200, 400}

    _, busy_key = a_key(database, name="busy")
    ask_in_every_way(gateways[0].url(), busy_key)
    execute(
        database, "ALTER TABLE outcome RENAME TO lost"
    )  # causes an internal error, with a traceback in the log
    by_id = {"instanceIds": [str(an_id(1))]}
    failed = httpx2.post(gateways[1].url() + REST, json=by_id, headers=bearing(busy_key))
    assert failed.status_code == 500
    execute(database, "ALTER TABLE lost RENAME TO outcome")
    stranger = new_token()
    assert statuses(gateways, stranger) == {401}
    assert [gateway.stop() for gateway in gateways] == [0, 0]

    audit = output_of("keys", "audit", COLUMNS="200")
    # Each of the three streams counts when it opens, and a subscription over WebSocket once more.
    for name, used, refused in [("tester", 8, 4), ("brief", 8, 4), ("other", 12, 0)]:
        lines = [line for line in audit.splitlines() if f" {name} " in line]
        assert any(f"used {used} times" in line for line in lines), audit
        assert any(f"expired {refused} times" in line for line in lines) == bool(refused), audit

    logged = [json.loads(line) for line in gateways[0].errors.splitlines() if line.startswith("{")]
    assert ("WEBSOCKET", str(revoked.id)) in [(line.get("method"), line.get("key_id")) for line in logged]
    said = "".join(gateway.output + gateway.errors for gateway in gateways)
    assert failed.json()["id"] in said
    for secret in (key, brief_key, other_key, busy_key, stranger):
        for part in (secret, secret.removeprefix("uplift_"), secret[10:40]):
            assert part not in said
