"""Tests that `Prefer` decides how long a client waits (RFC 7240)."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.rest_compat.support.rest_world import ORDERS, WAITING_1, ask, snapshot
from tests.support.workers import a_worker, run_next_upgrade, running_worker
from uplift.domain import ProcessKey, Worker
from uplift.domain.ports import Store

pytestmark = pytest.mark.anyio

ALL_ACTIVE = {"updateAllActive": True}
"""Four instances: two chunks of `a_worker`."""
ONE = {"instanceIds": [str(WAITING_1)]}
"""One chunk, which is done before the reply."""


@pytest.fixture
def rest_worker() -> Worker:
    return a_worker()


@pytest.fixture
def worker_runs() -> None:
    """Replaces the worker by none; the tests run upgrades themselves."""


async def prefer(client: httpx2.AsyncClient, *preferences: str, body: Any = ALL_ACTIVE) -> httpx2.Response:
    """Sends a request with these `Prefer` headers."""
    headers = [
        (b"authorization", b"Bearer admin-key"),
        *((b"prefer", preference.encode()) for preference in preferences),
    ]
    path = "/pub/v1/bpm/instance/bytemplate/crm/order_approval/version"
    return await client.post(path, headers=headers, json=body)


@pytest.mark.parametrize(
    "preferences",
    [
        ["respond-async"],
        ["Respond-ASYNC"],
        ['respond-async=""'],
        ["respond-async="],
        ["respond-async; reason=hurry"],
        ["handling=lenient, respond-async"],
        [' ,, handling="a, \\"b" ; x=1,respond-async ,'],
        ["return=minimal", "respond-async"],
        ["respond-async, respond-async=no"],
        ["respond-async, wait"],
        ["respond-async, wait=soon"],
        ["respond-async, wait=-1"],
        ["respond-async, wait=1.5"],
        ["respond-async, wait=9999999999"],
        ["respond-async, wait=soon, wait=5"],
        ["respond-async; wait=5"],
    ],
)
async def test_answers_at_once_with_the_address_of_the_status(
    client: httpx2.AsyncClient, rest_store: Store, preferences: list[str]
) -> None:
    reply = await prefer(client, *preferences)
    content = reply.json()
    assert (reply.status_code, content["state"], content["success"]) == (202, "QUEUED", True)
    assert reply.headers["location"] == f"/pub/v1/bpm/upgrades/{content['upgradeId']}"
    assert (reply.headers["preference-applied"], reply.headers["retry-after"]) == ("respond-async", "1")
    await run_next_upgrade(rest_store, a_worker())
    status = await client.get(reply.headers["location"], headers={"authorization": "Bearer admin-key"})
    assert (status.json()["state"], status.json()["total"]) == ("COMPLETED", 4)


async def test_reports_an_upgrade_that_was_done_at_once(client: httpx2.AsyncClient) -> None:
    reply = await prefer(client, "respond-async", body=ONE)
    assert (reply.status_code, reply.json()["state"], reply.json()["updated"]) == (202, "COMPLETED", 1)
    assert "retry-after" not in reply.headers


@pytest.mark.parametrize("wait", ["wait=0", "wait=1", 'wait="1"', "WAIT = 1", "wait=000000001"])
async def test_a_waiting_client_gets_the_end_of_a_short_upgrade(
    client: httpx2.AsyncClient, wait: str
) -> None:
    reply = await prefer(client, f"respond-async, {wait}", body=ONE)
    assert (reply.status_code, reply.json()["updated"], "state" in reply.json()) == (200, 1, False)
    assert "preference-applied" not in reply.headers


async def test_a_waiting_client_gets_the_end_of_the_upgrade(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker
) -> None:
    async with running_worker(rest_store, rest_worker):
        reply = await prefer(client, "wait=30", "respond-async")
    assert (reply.status_code, reply.json()["total"]) == (200, 4)


@pytest.mark.parametrize("seconds", [0, 1])
async def test_a_client_waits_no_longer_than_it_said(client: httpx2.AsyncClient, seconds: int) -> None:
    began = asyncio.get_running_loop().time()
    reply = await prefer(client, f"respond-async, wait={seconds}")
    assert (reply.status_code, reply.json()["state"]) == (202, "QUEUED")
    assert asyncio.get_running_loop().time() - began >= seconds


@pytest.mark.parametrize(
    "preferences",
    [
        [],
        [""],
        ["wait=0"],
        ["return=minimal"],
        ["respond-async=no"],
        ["respond-async=no, respond-async"],
        ["respond async"],
        ["respond-asynchronously"],
        ['"respond-async"'],
        ['handling="respond-async'],
        ['handling=", respond-async'],
        ["handling; respond-async"],
        ["\N{LATIN SMALL LETTER E WITH ACUTE}, @"],
        ["," * 10_000],
    ],
)
async def test_any_other_preference_is_ignored(
    client: httpx2.AsyncClient, rest_store: Store, rest_worker: Worker, preferences: list[str]
) -> None:
    async with running_worker(rest_store, rest_worker):
        reply = await prefer(client, *preferences)
    assert (reply.status_code, reply.json()["total"], "state" in reply.json()) == (200, 4, False)
    assert "preference-applied" not in reply.headers


@pytest.mark.parametrize(
    "text", ['"\\' * 15_000, "a=" + " " * 30_000 + "(", '"a' * 15_000, "a" * 30_000 + "("]
)
async def test_a_preference_that_is_hard_to_read_takes_no_time(client: httpx2.AsyncClient, text: str) -> None:
    async with asyncio.timeout(2):
        assert (await prefer(client, text, "respond-async, wait=0", body=ONE)).status_code == 200


@pytest.mark.parametrize(
    ("how", "body", "status"),
    [
        ({"key": "no-key"}, ALL_ACTIVE, 401),
        ({"key": "reader-key"}, ALL_ACTIVE, 403),
        ({"process": ProcessKey(namespace="crm", code="nothing")}, ALL_ACTIVE, 404),
        ({"process": ORDERS}, {}, 400),
        ({"process": ProcessKey(namespace="crm", code="only_drawn")}, ALL_ACTIVE, 400),
    ],
)
async def test_an_error_is_not_postponed_to_the_status(
    client: httpx2.AsyncClient, rest_store: Store, how: dict[str, Any], body: Any, status: int
) -> None:
    before = await snapshot(rest_store)
    reply = await ask(client, body, headers={"prefer": "respond-async"}, **how)
    assert (reply.status_code, "location" in reply.headers) == (status, False)
    assert await snapshot(rest_store) == before
