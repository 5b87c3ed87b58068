"""Mutations wait for their upgrade, and repeated requests return the first upgrade."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import add_instances, add_process, an_id, an_instance, contents
from tests.graphql_api.support.upgrade_requests import (
    a_small_front_door,
    payload_from,
    the_upgrade,
    the_upgrades,
    upgrade_from,
    versions_of,
)
from tests.support.stores import Overlay
from tests.support.workers import a_worker, run_next_upgrade, running_worker
from uplift.domain import Caller, Role, Status
from uplift.domain.errors import StoreUnavailable
from uplift.testing.stores import Around

pytestmark = pytest.mark.anyio

PROGRESS = (
    "state expected total upgraded skipped startedAt finishedAt rate etaSeconds workedSeconds workers error"
)


@pytest.fixture
async def small(client: Client) -> AsyncIterator[Client]:
    """A server with chunks of two instances, and five instances."""
    async with asyncio.timeout(10):
        yield await a_small_front_door(client)


async def test_an_upgrade_of_one_chunk_runs_in_the_request(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, *map(an_instance, range(1, 5)))
    upgrade = await upgrade_from(client, "upgradeInstances", wait=False, fields="state total")
    assert upgrade == {"state": "COMPLETED", "total": 4}


async def test_a_large_upgrade_is_returned_queued_without_waiting(small: Client) -> None:
    upgrade = await upgrade_from(small, "upgradeInstances", wait=False, fields=PROGRESS)
    assert upgrade == {
        "state": "QUEUED",
        "expected": 5,
        "total": 0,
        "upgraded": 0,
        "skipped": 0,
        "startedAt": None,
        "finishedAt": None,
        "rate": None,
        "etaSeconds": None,
        "workedSeconds": 0.0,
        "workers": [],
        "error": None,
    }
    assert await versions_of(small.store, 1, 2, 3, 4, 5) == [1, 1, 1, 1, 1]


async def test_a_worker_runs_a_queued_upgrade(small: Client) -> None:
    upgrade = await upgrade_from(small, "upgradeInstances", wait=False)
    await run_next_upgrade(small.store, a_worker())
    data = await small.ask(
        "query($id: UUID!) {upgrade(id: $id) {state total upgraded workers}}", id=upgrade["id"]
    )
    assert data["upgrade"] == {"state": "COMPLETED", "total": 5, "upgraded": 4, "workers": []}
    assert await versions_of(small.store, 1, 2, 3, 4, 5) == [2, 2, 2, 2, 1]


@pytest.mark.parametrize("input_fields", [{}, {"wait": True}], ids=str)
async def test_waits_until_a_worker_has_finished(small: Client, input_fields: dict[str, bool]) -> None:
    async with running_worker(small.store, a_worker()):
        upgrade = await upgrade_from(
            small, "upgradeInstances", "state total upgraded countsByReason {code count}", **input_fields
        )
    assert upgrade == {
        "state": "COMPLETED",
        "total": 5,
        "upgraded": 4,
        "countsByReason": [{"code": "NOT_PENDING", "count": 1}],
    }


async def test_waits_at_most_as_long_as_the_server_allows(small: Client) -> None:
    upgrade = await upgrade_from(replace(small, wait_seconds=0.05), "upgradeInstances")
    assert upgrade["state"] == "QUEUED"


async def test_wait_may_be_omitted_but_not_null(small: Client) -> None:
    error = await small.refused(
        "mutation($input: UndoUpgradeInput!) {undoUpgrade(input: $input) {upgrade {id}}}",
        input={"id": str(an_id(1)), "wait": None},
    )
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


class StoreLockedLater(Around):
    """A store that cannot read upgrades."""

    @property
    def upgrades(self) -> Overlay:
        return Overlay(self._store.upgrades, find_many=self._find_upgrades)

    async def _find_upgrades(self, ids: object) -> None:
        raise StoreUnavailable("it is locked")


async def test_an_outage_while_waiting_does_not_hide_that_the_request_is_stored(client: Client) -> None:
    store = StoreLockedLater(client.store)
    small = await a_small_front_door(client.on(store))
    async with running_worker(store, a_worker()):
        upgrade = await upgrade_from(small, "upgradeInstances")
    assert upgrade == {"id": str((await the_upgrade(store)).id), "state": "QUEUED"}


async def test_the_same_request_with_the_same_key_returns_the_first_upgrade(small: Client) -> None:
    first = await upgrade_from(small, "upgradeInstances", wait=False, idempotencyKey="k")
    again = await upgrade_from(small, "upgradeInstances", wait=False, idempotencyKey="k")
    assert again == first == {"id": str((await the_upgrade(small.store)).id), "state": "QUEUED"}


async def test_a_repeated_request_waits_for_the_first_upgrade(small: Client) -> None:
    first = await upgrade_from(small, "upgradeInstances", wait=False, idempotencyKey="k")
    async with running_worker(small.store, a_worker()):
        again = await upgrade_from(small, "upgradeInstances", wait=True, idempotencyKey="k")
    assert again == {"id": first["id"], "state": "COMPLETED"}


async def test_a_repeated_request_ignores_instances_registered_since(small: Client) -> None:
    ids = {"instanceIds": [str(an_id(1)), str(an_id(6))]}
    await upgrade_from(small, "upgradeInstances", selection=ids, idempotencyKey="k")
    await add_instances(small.store, an_instance(6))
    again = await upgrade_from(
        small, "upgradeInstances", "upgraded skipped", selection=ids, idempotencyKey="k"
    )
    assert again == {"upgraded": 1, "skipped": 1}
    assert await versions_of(small.store, 1, 6) == [2, 1]


@pytest.mark.parametrize(
    "other",
    [
        {"reason": "another"},
        {"selection": {"allActive": {"except": [str(an_id(1))]}}},
        {"selection": {"instanceIds": [str(an_id(1))]}},
        {"mappings": [{"fromVersion": 1, "instructions": []}]},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_another_request_with_the_same_key_is_refused(small: Client, other: dict[str, Any]) -> None:
    first = await upgrade_from(small, "upgradeInstances", wait=False, idempotencyKey="k")
    before = await contents(small.store)
    assert await payload_from(small, "upgradeInstances", idempotencyKey="k", **other) == {
        "upgrade": None,
        "userErrors": [
            {
                "__typename": "IdempotencyConflictError",
                "code": "IDEMPOTENCY_CONFLICT",
                "field": ["idempotencyKey"],
                "message": "Expected idempotency key 'k' to come with the request it came with first, "
                f"which led to upgrade {first['id']}, but this request is another one.",
                "upgradeId": first["id"],
            }
        ],
    }
    assert await contents(small.store) == before


async def test_a_key_belongs_to_its_caller(small: Client) -> None:
    first = await upgrade_from(small, "upgradeInstances", wait=False, idempotencyKey="k")
    other = replace(small, caller=Caller(name="night shift", role=Role.SYSTEM_ADMIN))
    second = await upgrade_from(other, "upgradeInstances", wait=False, idempotencyKey="k")
    assert first["id"] != second["id"]


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb"])
async def test_a_key_is_a_short_text(small: Client, key: str) -> None:
    before = await contents(small.store)
    payload = await payload_from(small, "upgradeInstances", idempotencyKey=key)
    assert payload == {
        "upgrade": None,
        "userErrors": [
            {
                "__typename": "InvalidInputError",
                "code": "INVALID_INPUT",
                "field": ["idempotencyKey"],
                "message": "Expected an idempotency key of 1 to 255 printable characters, "
                f"but got {key[:100]!r}.",
            }
        ],
    }
    assert await contents(small.store) == before


@pytest.mark.parametrize("mutation", ["retryUpgrade", "undoUpgrade"])
async def test_a_retry_or_undo_repeated_with_its_key_returns_the_first(small: Client, mutation: str) -> None:
    await upgrade_from(small, "upgradeInstances", wait=False)
    earlier = await run_next_upgrade(small.store, a_worker())
    first = await upgrade_from(small, mutation, id=str(earlier.id), wait=False, idempotencyKey="k")
    again = await upgrade_from(small, mutation, id=str(earlier.id), wait=False, idempotencyKey="k")
    assert first == again
    assert len(await the_upgrades(small.store)) == 2


async def test_a_large_undo_is_queued_or_waited_for(small: Client) -> None:
    await upgrade_from(small, "upgradeInstances", wait=False)
    moved = await run_next_upgrade(small.store, a_worker())
    await assert_queued_or_waited_for(small, "undoUpgrade", id=str(moved.id))


async def test_a_large_retry_is_queued_or_waited_for(small: Client) -> None:
    for _ in range(2):
        await upgrade_from(small, "upgradeInstances", wait=False)
        latest = await run_next_upgrade(small.store, a_worker())
    assert latest.skipped == 5
    await assert_queued_or_waited_for(
        small, "retryUpgrade", id=str(latest.id), reasons=["ALREADY_LATEST", "NOT_PENDING"]
    )


async def assert_queued_or_waited_for(small: Client, mutation: str, **input_fields: Any) -> None:
    queued = await upgrade_from(small, mutation, wait=False, **input_fields)
    assert queued["state"] == "QUEUED"
    async with running_worker(small.store, a_worker()):
        done = await upgrade_from(small, mutation, **input_fields)
    assert done["state"] == "COMPLETED"
    assert done["id"] != queued["id"]


async def test_the_status_of_instances_does_not_change(small: Client) -> None:
    async with running_worker(small.store, a_worker()):
        await upgrade_from(small, "upgradeInstances")
    assert (await small.store.instances.find_many([an_id(5)]))[an_id(5)] == an_instance(
        5, status=Status.RUNNING
    )
