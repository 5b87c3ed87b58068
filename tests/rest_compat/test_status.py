"""Tests that any key reads the status of an upgrade, whichever API requested the upgrade."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.rest_compat.support.rest_work import soon, the_upgrade
from tests.rest_compat.support.rest_world import (
    ADMIN,
    ORDERS,
    WAITING_1,
    WAITING_2,
    an_instance,
    ask,
    snapshot,
)
from tests.support.workers import a_worker, run_next_upgrade
from uplift.domain import (
    ElementId,
    UpgradeId,
    Worker,
    all_active,
    cancel_upgrade,
    claim,
    pause_upgrade,
    register_instances,
    request_undo,
    request_upgrade,
)
from uplift.domain.model.request import UndoRequest, UpgradeRequest
from uplift.domain.ports import Store
from uplift.domain.use_cases.worker import fail_upgrade
from uplift.testing.stores import outcomes_of

pytestmark = pytest.mark.anyio

SOME_ID = UUID("11111111-2222-4333-8444-555555555555")


@pytest.fixture
def rest_worker() -> Worker:
    return a_worker()


@pytest.fixture
def worker_runs() -> None:
    """Replaces the worker by none; the tests run upgrades themselves."""


def much_later() -> datetime:
    """A time at which every lease has expired."""
    return datetime(2999, 1, 1, tzinfo=UTC)


async def status_of(
    client: httpx2.AsyncClient, upgrade: object, *, method: str = "GET", key: str = "reader-key"
) -> httpx2.Response:
    path = f"/pub/v1/bpm/upgrades/{upgrade}"
    return await client.request(method, path, headers={"authorization": f"Bearer {key}"})


async def an_upgrade_of_all(client: httpx2.AsyncClient, store: Store) -> UpgradeId:
    """A queued upgrade of four instances, two of them pending: two chunks."""
    await ask(client, {"updateAllActive": True}, headers={"prefer": "respond-async"})
    return (await soon(lambda: the_upgrade(store))).id


async def test_shows_an_upgrade_from_its_beginning_to_its_end(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    upgrade = await an_upgrade_of_all(client, rest_store)
    seen = [(await status_of(client, upgrade)).json()]
    await run_next_upgrade(rest_store, rest_worker, chunks=1)
    seen.append((await status_of(client, upgrade)).json())
    await claim(rest_store, rest_worker)
    seen.append((await status_of(client, upgrade)).json())
    await run_next_upgrade(rest_store, Worker(name="next", clock=much_later))
    seen.append((await status_of(client, upgrade)).json())
    assert [
        (
            status["state"],
            status["total"],
            status["updated"],
            status["skipped"],
            status["progress"]["percent"],
        )
        for status in seen
    ] == [
        ("QUEUED", 0, 0, 0, 0),
        ("QUEUED", 2, 2, 0, 50),
        ("RUNNING", 2, 2, 0, 50),
        ("COMPLETED", 4, 2, 2, 100),
    ]
    assert [(status["progress"]["done"], status["progress"]["expected"]) for status in seen] == [
        (0, 4),
        (2, 4),
        (2, 4),
        (4, 4),
    ]
    assert [len(status["instances"]) for status in seen] == [0, 0, 0, 2]


async def test_shows_rate_and_remaining_time_once_they_are_known(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    upgrade = await an_upgrade_of_all(client, rest_store)
    fresh = await status_of(client, upgrade)
    assert (fresh.json()["progress"]["ratePerSecond"], fresh.json()["progress"]["etaSeconds"]) == (None, None)
    await run_next_upgrade(rest_store, rest_worker, chunks=1)
    halfway = await status_of(client, upgrade)
    assert halfway.json()["progress"]["ratePerSecond"] > 0
    assert halfway.json()["progress"]["etaSeconds"] == 1
    await run_next_upgrade(rest_store, rest_worker)
    done = await status_of(client, upgrade)
    assert done.json()["progress"]["ratePerSecond"] > 0
    assert done.json()["progress"]["etaSeconds"] is None
    assert [reply.headers.get("retry-after") for reply in (fresh, halfway, done)] == ["1", "1", None]


async def test_lists_the_outcome_of_each_id_so_far(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    ids = [str(WAITING_1), str(SOME_ID), str(WAITING_2)]
    queued = await ask(client, {"instanceIds": ids}, headers={"prefer": "respond-async"})
    await run_next_upgrade(rest_store, rest_worker, chunks=1)
    content = (await status_of(client, queued.json()["upgradeId"])).json()
    # The store chooses which two of them come first.
    done = await outcomes_of(rest_store, UpgradeId(UUID(content["upgradeId"])))
    found = {str(outcome.instance) for outcome in done}
    assert len(found) == 2
    assert [(instance["id"], instance["status"]) for instance in content["instances"]] == [
        (id_, "skipped" if id_ == str(SOME_ID) else "updated") for id_ in ids if id_ in found
    ]


async def test_a_paused_upgrade_has_no_remaining_time(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    upgrade = await an_upgrade_of_all(client, rest_store)
    await run_next_upgrade(rest_store, rest_worker, chunks=1)
    await pause_upgrade(rest_store, upgrade, caller=ADMIN)
    content = (await status_of(client, upgrade)).json()
    assert (content["state"], content["success"], content["progress"]["etaSeconds"]) == ("PAUSED", True, None)


async def test_a_cancelled_upgrade_is_no_success(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    upgrade = await an_upgrade_of_all(client, rest_store)
    await run_next_upgrade(rest_store, rest_worker, chunks=1)
    await cancel_upgrade(rest_store, upgrade, caller=ADMIN)
    reply = await status_of(client, upgrade)
    content = reply.json()
    assert (reply.status_code, content["state"], content["progress"]["percent"]) == (200, "CANCELLED", 50)
    assert (content["success"], content["code"], content["details"]) == (False, "UPGRADE_CANCELLED", [])
    assert "it was cancelled after 2 of about 4 instances" in content["error"]
    assert "retry-after" not in reply.headers


async def test_a_failed_upgrade_is_no_success_and_its_cause_is_masked(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    upgrade = await an_upgrade_of_all(client, rest_store)
    claimed = await claim(rest_store, rest_worker)
    assert claimed is not None
    await fail_upgrade(rest_store, claimed, rest_worker, "OperationalError: secret")
    reply = await status_of(client, upgrade)
    content = reply.json()
    assert (reply.status_code, content["state"], content["code"]) == (200, "FAILED", "UPGRADE_FAILED")
    assert "secret" not in reply.text


async def test_shows_an_upgrade_of_another_front_door(client: httpx2.AsyncClient, rest_store: Store) -> None:
    upgrade = await request_upgrade(
        rest_store,
        UpgradeRequest(process=ORDERS, selection=all_active()),
        caller=ADMIN,
        worker=Worker(name="graphql"),
    )
    assert (await status_of(client, upgrade.id)).json()["total"] == 4


async def test_shows_an_undo(client: httpx2.AsyncClient, rest_store: Store) -> None:
    made = (await ask(client, {"instanceIds": [str(WAITING_1), str(WAITING_2)]})).json()["upgradeId"]
    moved = replace(an_instance(WAITING_1, version=3), position=frozenset({ElementId("approve")}))
    await register_instances(rest_store, process=ORDERS, instances=[moved], caller=ADMIN)
    undo = await request_undo(
        rest_store, UndoRequest(upgrade_id=UpgradeId(UUID(made))), caller=ADMIN, worker=Worker(name="graphql")
    )
    content = (await status_of(client, undo.id)).json()
    assert (content["version"], content["updated"], content["skipped"]) == (None, 1, 1)
    assert [instance["reasons"] for instance in content["instances"]] == [["MOVED_ON"]]


async def test_head_answers_the_same_without_a_body(client: httpx2.AsyncClient, rest_store: Store) -> None:
    upgrade = await an_upgrade_of_all(client, rest_store)
    got, headed = [await status_of(client, upgrade, method=method) for method in ("GET", "HEAD")]
    assert (headed.status_code, headed.headers) == (200, got.headers)
    assert headed.content == b""


@pytest.mark.parametrize(
    "spell", [str, lambda uuid: uuid.hex.upper(), lambda uuid: f"{{{uuid}}}", lambda uuid: uuid.urn]
)
async def test_reads_the_id_in_each_spelling(
    client: httpx2.AsyncClient, rest_store: Store, spell: Any
) -> None:
    upgrade = await an_upgrade_of_all(client, rest_store)
    assert (await status_of(client, spell(upgrade))).json()["upgradeId"] == str(upgrade)


@pytest.mark.parametrize("unknown", [SOME_ID, "17", "order%20approval", f"{SOME_ID}0", "x" * 1_000])
async def test_what_is_not_the_id_of_an_upgrade_is_not_found(
    client: httpx2.AsyncClient, rest_store: Store, unknown: object
) -> None:
    before = await snapshot(rest_store)
    reply = await status_of(client, unknown)
    assert (reply.status_code, reply.json()["code"]) == (404, "UPGRADE_NOT_FOUND")
    assert [detail["field"] for detail in reply.json()["details"]] == ["upgradeId"]
    assert len(reply.text) < 500
    assert await snapshot(rest_store) == before


@pytest.mark.parametrize("tail", ["/", "//", "%2F", "/instances", "%0A"])
async def test_another_path_below_is_not_found(
    client: httpx2.AsyncClient, rest_store: Store, tail: str
) -> None:
    upgrade = await an_upgrade_of_all(client, rest_store)
    reply = await status_of(client, f"{upgrade}{tail}")
    assert (reply.status_code, reply.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("key", ["", "no-key"])
async def test_a_client_without_a_key_learns_nothing(
    client: httpx2.AsyncClient, rest_store: Store, key: str
) -> None:
    upgrade = await an_upgrade_of_all(client, rest_store)
    replies = [await status_of(client, upgrade_id, key=key) for upgrade_id in (upgrade, SOME_ID, "17")]
    assert {reply.status_code for reply in replies} == {401}
    assert len({reply.text for reply in replies}) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_is_only_read(client: httpx2.AsyncClient, rest_store: Store, method: str) -> None:
    upgrade = await an_upgrade_of_all(client, rest_store)
    before = await snapshot(rest_store)
    reply = await status_of(client, upgrade, method=method, key="admin-key")
    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD")
    assert await snapshot(rest_store) == before
