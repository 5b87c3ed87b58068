"""Two gateways on one database agree on API keys, and log none of them."""

import json
from collections.abc import Iterator

import httpx2
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.gateway.gateway_world import Place, Program, a_key, execute, output_of, started, url_of
from tests.gateway.served_world import REST, bearing
from uplift.gateway.auth.keys import new_token
from uplift.testing.builders import an_id

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
def gateways(database: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Program]]:
    """Two programs that serve the same database, and log at level debug."""
    url = {"UPLIFT_DATABASE_URL": url_of(database), **SAYS_EVERYTHING}
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    with (
        started("serve", "--port=0", folder=first, **url) as first_gateway,
        started("serve", "--port=0", folder=second, **url) as second_gateway,
    ):
        first_gateway.url()
        yield [first_gateway, second_gateway]


def test_two_gateways_refuse_a_key_at_once_count_its_uses_and_never_log_it(
    database: Place, gateways: list[Program]
) -> None:
    revoked, key = a_key(database)
    _, brief_key = a_key(database, name="brief")
    _, other_key = a_key(database, name="other")
    for api_key in (key, brief_key, other_key):
        assert statuses(gateways, api_key) == {200, 400}

    assert output_of("keys", "revoke", str(revoked.id)) == f"Revoked {revoked.id}.\n"
    assert statuses(gateways, key) == {401}
    # The programs have a real clock: wait until the key has expired.
    execute(database, "UPDATE api_key SET expires_at = created_at WHERE name = 'brief'")
    assert statuses(gateways, brief_key) == {401}
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
    for name, used, refused in [("tester", 4, 4), ("brief", 4, 4), ("other", 8, 0)]:
        lines = [line for line in audit.splitlines() if f" {name} " in line]
        assert any(f"used {used} times" in line for line in lines), audit
        assert any(f"expired {refused} times" in line for line in lines) == bool(refused), audit

    said = "".join(gateway.output + gateway.errors for gateway in gateways)
    assert failed.json()["id"] in said
    for secret in (key, brief_key, other_key, busy_key, stranger):
        for part in (secret, secret.removeprefix("uplift_"), secret[10:40]):
            assert part not in said
