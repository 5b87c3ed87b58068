"""Tests that each documented request gets the documented reply, but for ids and measured rates."""

import json
from typing import Any

import httpx2
import pytest

from tests.rest_compat.support.rest_golden import GOLDEN
from tests.rest_compat.support.rest_world import snapshot
from tests.support.workers import a_worker
from uplift.domain import Worker
from uplift.domain.ports import Store

pytestmark = pytest.mark.anyio

UPGRADE_ID = "11111111-2222-4333-8444-555555555555"
"""The id of the upgrade in golden files."""


@pytest.fixture
def rest_worker(name: str) -> Worker:
    """A worker with small chunks if the golden file says that its upgrade is large."""
    return a_worker() if GOLDEN[name].get("isLarge") else Worker(name="rest")


@pytest.fixture
def worker_runs() -> None:
    """Replaces the worker by none: an upgrade of several chunks stays queued."""


async def send(client: httpx2.AsyncClient, request: dict[str, Any], upgrade_id: str) -> httpx2.Response:
    return await client.request(
        request["method"],
        request["path"].replace(UPGRADE_ID, upgrade_id),
        headers=request["headers"],
        content=json.dumps(request["body"]) if "body" in request else request.get("text"),
    )


def with_fixed_rate(reply: dict[str, Any]) -> dict[str, Any]:
    progress = reply.get("progress", {})
    if progress.get("ratePerSecond"):
        progress["ratePerSecond"] = 2_000.0
    return reply


@pytest.mark.parametrize("name", GOLDEN)
async def test_answers_a_request_as_its_golden_file_says(
    client: httpx2.AsyncClient, rest_store: Store, name: str
) -> None:
    golden = GOLDEN[name]
    first = await send(client, golden["first"], UPGRADE_ID) if "first" in golden else None
    first_id = first.json()["upgradeId"] if first else UPGRADE_ID
    before = await snapshot(rest_store)
    reply = await send(client, golden["request"], first_id)
    made = json.loads(reply.text).get("upgradeId", first_id)
    content = with_fixed_rate(json.loads(reply.text.replace(made, UPGRADE_ID)))
    assert reply.status_code == golden["status"]
    assert list(content.items()) == list(golden["reply"].items())
    for header, value in golden.get("headers", {}).items():
        assert reply.headers[header].replace(made, UPGRADE_ID) == value
    if reply.status_code in (200, 202):
        assert (await snapshot(rest_store)).upgrades == 1
    else:
        assert await snapshot(rest_store) == before
