"""Clients follow the progress of an upgrade by a subscription."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest
from strawberry import Schema

from tests.graphql_api.support.schema_client import Client, execute_served
from tests.graphql_api.support.schema_world import add_instances, an_id, an_instance
from tests.graphql_api.support.upgrade_requests import a_small_front_door, put_into, the_upgrade, upgrade_from
from tests.support.stores import SERVED, Overlay, Stores
from tests.support.workers import a_worker, run_one_chunk, running_worker, wait_until_only
from uplift.domain import Upgrade, UpgradeId, UpgradeState
from uplift.domain.errors import StoreUnavailable
from uplift.domain.ports import Store
from uplift.testing.stores import Around

pytestmark = pytest.mark.anyio

FOLLOW = """
subscription($id: UUID!) {
  upgradeProgress(id: $id) {id state total skipped countsByReason {code count} outcomes {totalCount}}
}
"""


class ListenedStore(Around):
    """A store that counts its listeners, and can be made unavailable."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.listening = 0
        self.has_listener = asyncio.Event()
        self.is_locked = False

    async def wait_for_change(self, seconds: float) -> None:
        self.listening += 1
        self.has_listener.set()
        try:
            await self._store.wait_for_change(seconds)
        finally:
            self.listening -= 1

    @property
    def upgrades(self) -> Overlay:
        return Overlay(self._store.upgrades, find_many=self._find_upgrades)

    async def _find_upgrades(self, ids: Sequence[UpgradeId]) -> Mapping[UpgradeId, Upgrade]:
        if self.is_locked:
            raise StoreUnavailable("it is locked")
        return await self._store.upgrades.find_many(ids)


@pytest.fixture(params=SERVED)
async def store(request: pytest.FixtureRequest, stores: Stores) -> AsyncIterator[ListenedStore]:
    async with stores.empty(request.param) as store:
        yield ListenedStore(store)


@pytest.fixture
async def small(schema: Schema, store: ListenedStore) -> AsyncIterator[Client]:
    """A server with chunks of two instances, and a queued upgrade of five."""
    async with asyncio.timeout(10):
        small = await a_small_front_door(Client(schema=schema, store=store, execute=execute_served))
        await upgrade_from(small, "upgradeInstances", wait=False)
        yield small


async def test_a_finished_upgrade_is_one_event(small: Client, store: ListenedStore) -> None:
    upgrade = await put_into(store, (await the_upgrade(store)).id, state=UpgradeState.CANCELLED)
    events = [event async for event in small.follow(FOLLOW, id=str(upgrade.id))]
    assert events == [
        {
            "data": {
                "upgradeProgress": {
                    "id": str(upgrade.id),
                    "state": "CANCELLED",
                    "total": 0,
                    "skipped": 0,
                    "countsByReason": [],
                    "outcomes": {"totalCount": 0},
                }
            }
        }
    ]
    assert store.listening == 0


async def test_sends_the_present_state_then_each_change_until_the_end(
    small: Client, store: ListenedStore
) -> None:
    upgrade = await the_upgrade(store)
    events: list[Any] = []
    works = False
    async with AsyncExitStack() as until_the_end:
        async for event in small.follow(FOLLOW, id=str(upgrade.id)):
            events.append(event["data"]["upgradeProgress"])
            if len(events) == 1:
                await run_one_chunk(store, a_worker())
            elif events[-1]["total"] == 2 and not works:
                works = True
                await put_into(store, upgrade.id, state=UpgradeState.QUEUED)
                await until_the_end.enter_async_context(running_worker(store, a_worker()))
    expected = [
        ("QUEUED", 0, {"totalCount": 0}, []),
        ("RUNNING", 2, {"totalCount": 2}, []),
        ("COMPLETED", 5, {"totalCount": 5}, [{"code": "NOT_PENDING", "count": 1}]),
    ]
    shown = [(event["state"], event["total"], event["outcomes"], event["countsByReason"]) for event in events]
    assert (shown[0], shown[-1]) == (expected[0], expected[-1])
    # A slow machine shows more states in between, such as RUNNING again before the next chunk.
    first = [event for number, event in enumerate(shown) if event not in shown[:number]]
    assert [event for event in first if event in expected] == expected
    assert [event["total"] for event in events] == sorted(event["total"] for event in events)


async def test_sends_at_most_two_events_a_second(small: Client, store: ListenedStore) -> None:
    await add_instances(store, *map(an_instance, range(100, 200)))
    upgrade = await upgrade_from(small, "upgradeInstances", wait=False)
    began = time.monotonic()
    async with running_worker(store, a_worker(pause=0.02)):  # some 50 chunks in about a second
        totals = [
            event["data"]["upgradeProgress"]["total"]
            async for event in small.follow(FOLLOW, id=upgrade["id"])
        ]
    assert totals == sorted(totals)
    assert totals[-1] == 105
    assert len(totals) <= 2 + (time.monotonic() - began) / 0.5


async def test_an_upgrade_that_does_not_exist_is_an_error(small: Client, store: ListenedStore) -> None:
    events = [event async for event in small.follow(FOLLOW, id=str(an_id(9)))]
    assert events == [
        {
            "errors": [
                {
                    "message": f"Expected to find upgrade {an_id(9)}, but there is none.",
                    "extensions": {"code": "UPGRADE_NOT_FOUND", "field": ["id"]},
                }
            ]
        }
    ]
    assert store.listening == 0


async def test_a_reader_may_follow(small: Client, store: ListenedStore) -> None:
    upgrade = await the_upgrade(store)
    async with aclosing(small.reader().follow(FOLLOW, id=str(upgrade.id))) as events:
        assert (await anext(events))["data"]["upgradeProgress"]["id"] == str(upgrade.id)


async def test_the_node_budget_holds_for_a_subscription(small: Client, store: ListenedStore) -> None:
    upgrade = await the_upgrade(store)
    query = """
        subscription($id: UUID!) {
          upgradeProgress(id: $id) {
            ...a
            process {instances(first: 1000) {nodes {history {kind}}}}
          }
        }
        fragment a on Upgrade {outcomes(first: 1000) {nodes {kind}}}
    """
    [event] = [event async for event in small.follow(query, id=str(upgrade.id))]
    assert event["data"] is None
    assert [error["extensions"] for error in event["errors"]] == [{"code": "LIMIT_EXCEEDED"}]
    assert store.listening == 0


async def test_a_cancelled_subscription_stops_listening(small: Client, store: ListenedStore) -> None:
    upgrade = await the_upgrade(store)
    events = small.follow(FOLLOW, id=str(upgrade.id))
    await anext(events)
    waiting = asyncio.create_task(anext(events))
    await store.has_listener.wait()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert store.listening == 0
    with pytest.raises(StopAsyncIteration):
        await anext(events)


async def test_a_subscription_closed_between_events_leaves_no_task(
    small: Client, store: ListenedStore
) -> None:
    before = asyncio.all_tasks()
    upgrade = await the_upgrade(store)
    events = small.follow(FOLLOW, id=str(upgrade.id))
    await anext(events)
    await events.aclose()
    assert store.listening == 0
    await wait_until_only(before)


async def test_an_outage_ends_the_subscription_with_an_error(small: Client, store: ListenedStore) -> None:
    upgrade = await the_upgrade(store)
    events = small.follow(FOLLOW, id=str(upgrade.id))
    await anext(events)
    store.is_locked = True
    [event] = [event async for event in events]
    assert [error["extensions"]["code"] for error in event["errors"]] == ["STORE_UNAVAILABLE"]


async def test_progress_is_not_a_query(small: Client) -> None:
    error = await small.refused(FOLLOW.replace("subscription", "query"), id=str(an_id(1)))
    assert error["message"].startswith("Cannot query field 'upgradeProgress' on type 'Query'.")
