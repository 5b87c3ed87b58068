"""Clients follow all unfinished upgrades by a subscription."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import UUID

import pytest
from strawberry import Schema

from tests.graphql_api.support.schema_client import Client, execute_served
from tests.graphql_api.support.upgrade_requests import a_small_front_door, put_into, upgrade_from
from tests.support.stores import SERVED, Stores
from uplift.domain import UpgradeId, UpgradeState

pytestmark = pytest.mark.anyio

FOLLOW = """
subscription($namespace: String, $code: String) {
  upgradesChanged(namespace: $namespace, code: $code) {id state total process {code activeCount}}
}
"""


@pytest.fixture(params=SERVED)
async def small(request: pytest.FixtureRequest, schema: Schema, stores: Stores) -> AsyncIterator[Client]:
    """A server without a worker."""
    async with stores.empty(request.param) as store, asyncio.timeout(30):
        yield await a_small_front_door(Client(schema=schema, store=store, execute=execute_served))


async def next_of(events: Any) -> Any:
    event = await anext(events)
    assert "errors" not in event
    return [
        (upgrade["id"], upgrade["state"], upgrade["total"]) for upgrade in event["data"]["upgradesChanged"]
    ]


async def test_the_unfinished_upgrades_come_first_then_changes(small: Client) -> None:
    first = await upgrade_from(small, "upgradeInstances", wait=False)
    async with aclosing(small.reader().follow(FOLLOW)) as events:
        assert await next_of(events) == [(first["id"], "QUEUED", 0)]
        second = await upgrade_from(small, "upgradeInstances", wait=False)
        await put_into(small.store, UpgradeId(UUID(first["id"])), state=UpgradeState.CANCELLED)
        changed: set[Any] = set()
        while len(changed) < 2:  # both at once, unless the read came between
            changed |= set(await next_of(events))
        assert changed == {(second["id"], "QUEUED", 0), (first["id"], "CANCELLED", 0)}


@pytest.mark.parametrize(
    ("whose", "count"),
    [
        ({"namespace": "shop", "code": "order"}, 1),
        ({"namespace": "shop", "code": None}, 1),
        ({"namespace": "shop", "code": "other"}, 0),
        ({"namespace": "elsewhere"}, 0),
    ],
)
async def test_the_upgrades_of_a_namespace_or_process_can_be_followed(
    small: Client, whose: dict[str, Any], count: int
) -> None:
    await upgrade_from(small, "upgradeInstances", wait=False)
    async with aclosing(small.follow(FOLLOW, **whose)) as events:
        assert len(await next_of(events)) == count


async def test_a_code_needs_a_namespace(small: Client) -> None:
    [event] = [event async for event in small.follow(FOLLOW, code="order")]
    assert event["errors"] == [
        {
            "message": "Expected a namespace with the code 'order', but got none.",
            "extensions": {"code": "INVALID_INPUT", "field": ["namespace"]},
        }
    ]


async def test_the_node_budget_counts_all_upgrades_that_an_event_may_have(small: Client) -> None:
    query = "subscription {upgradesChanged {outcomes(first: 100) {nodes {kind}}}}"
    [event] = [event async for event in small.follow(query)]
    assert [error["extensions"] for error in event["errors"]] == [{"code": "LIMIT_EXCEEDED"}]
