"""Each documented request gets the documented reply, byte for byte but for the id of the upgrade."""

import json
from typing import Any

import httpx2
import pytest
from rest_golden import GOLDEN
from rest_world import snapshot

from domain.ports import Store

pytestmark = pytest.mark.anyio

UPGRADE_ID = "11111111-2222-4333-8444-555555555555"


def with_fixed_id(reply: dict[str, Any]) -> dict[str, Any]:
    return {**reply, "upgradeId": UPGRADE_ID} if "upgradeId" in reply else reply


@pytest.mark.parametrize("name", GOLDEN)
async def test_answers_a_request_as_its_golden_file_says(
    client: httpx2.AsyncClient, rest_store: Store, name: str
) -> None:
    golden = GOLDEN[name]
    request = golden["request"]
    before = await snapshot(rest_store)
    reply = await client.request(
        request["method"],
        request["path"],
        headers=request["headers"],
        content=json.dumps(request["body"]) if "body" in request else request.get("text"),
    )
    assert reply.status_code == golden["status"]
    assert list(with_fixed_id(reply.json()).items()) == list(golden["reply"].items())
    for header, value in golden.get("headers", {}).items():
        assert reply.headers[header] == value
    if reply.status_code == 200:
        assert (await snapshot(rest_store)).upgrades == 1
    else:
        assert await snapshot(rest_store) == before
