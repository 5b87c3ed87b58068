"""Clients follow what changes of a process by a subscription."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from strawberry import Schema

from tests.graphql_api.support.counting_store import CountingStore
from tests.graphql_api.support.schema_client import Client, execute_served
from tests.graphql_api.support.schema_world import (
    add_draft,
    add_instances,
    add_process,
    add_upgrade,
    an_instance,
)
from tests.support.stores import SERVED, Stores

pytestmark = pytest.mark.anyio

FOLLOW = """
subscription {
  processChanged(namespace: "shop", code: "order") {
    title latestPublishedVersion {number tokens {elementId pending}} draft {number}
    activeCount activeByVersion {version pending} cohorts {version count}
  }
}
"""


@pytest.fixture(params=SERVED)
async def client(request: pytest.FixtureRequest, schema: Schema, stores: Stores) -> AsyncIterator[Client]:
    async with stores.empty(request.param) as store, asyncio.timeout(30):
        yield Client(schema=schema, store=store, execute=execute_served)


async def next_of(events: Any) -> Any:
    event = await anext(events)
    assert "errors" not in event
    return event["data"]["processChanged"]


async def test_the_present_state_comes_first_then_each_change(client: Client) -> None:
    await add_process(client.store, versions=2)
    async with aclosing(client.reader().follow(FOLLOW)) as events:
        assert await next_of(events) == {
            "title": "The order",
            "latestPublishedVersion": {"number": 2, "tokens": []},
            "draft": None,
            "activeCount": 0,
            "activeByVersion": [],
            "cohorts": [],
        }
        await add_instances(client.store, an_instance(1), an_instance(2))
        registered = await next_of(events)
        assert registered["activeByVersion"] == [{"version": 1, "pending": 2}]
        assert registered["cohorts"] == [{"version": 1, "count": 2}]
        await add_upgrade(client.store, 1)
        upgraded = await next_of(events)
        assert upgraded["cohorts"] == [{"version": 1, "count": 1}, {"version": 2, "count": 1}]
        assert upgraded["latestPublishedVersion"]["tokens"] == [{"elementId": "approve", "pending": 1}]
        await add_draft(client.store)
        assert (await next_of(events))["draft"] == {"number": 3}


async def test_the_counts_of_an_event_are_not_read_again(client: Client) -> None:
    await add_process(client.store)
    await add_instances(client.store, an_instance(1))
    store = CountingStore(client.store)
    async with aclosing(client.on(store).follow(FOLLOW)) as events:
        assert (await next_of(events))["activeCount"] == 1
    assert store.queries["instances.cohorts"] == 1


async def test_an_unknown_process_cannot_be_followed(client: Client) -> None:
    [event] = [event async for event in client.follow(FOLLOW)]
    assert event["errors"] == [
        {
            "message": "Expected to find process 'shop/order', but there is none.",
            "extensions": {"code": "PROCESS_NOT_FOUND"},
        }
    ]
