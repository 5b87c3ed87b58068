"""Queries for a running upgrade, the upgrade that it retries or undoes, and the history of an instance."""

from datetime import timedelta
from typing import Any

import pytest

from tests.graphql_api.support.counting_store import CountingStore
from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import (
    MORNING,
    ORDER,
    add_instances,
    add_process,
    add_upgrade,
    an_id,
    an_instance,
)
from tests.graphql_api.support.upgrade_requests import a_small_front_door, put_into, the_upgrade, upgrade_from
from tests.support.workers import a_worker, run_next_upgrade, run_one_chunk
from uplift.domain import ReasonCode, UpgradeState, claim, request_retry, request_undo
from uplift.domain.model.request import RetryRequest, UndoRequest
from uplift.testing.builders import ADMIN

pytestmark = pytest.mark.anyio

HISTORY = """
query($id: UUID!) {
  instance(id: $id) {
    history {
      upgrade {id requestedBy reason state}
      when kind reasons {code} fromVersion toVersion fromPosition toPosition
    }
  }
}
"""


async def history_of(client: Client, number: int) -> list[dict[str, Any]]:
    data = await client.ask(HISTORY, id=str(an_id(number)))
    found: list[dict[str, Any]] = data["instance"]["history"]
    return found


async def test_a_history_lists_what_each_upgrade_did_the_oldest_first(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, an_instance(1, position=["pay", "approve"]), an_instance(2))
    first = await add_upgrade(client.store, 1)
    second = await add_upgrade(client.store, 2, 1)
    undo = await request_undo(
        client.store,
        UndoRequest(upgrade_id=first.id, reason="It was a mistake"),
        caller=ADMIN,
        worker=a_worker(),
    )
    shown = {"requestedBy": "setup", "reason": None, "state": "COMPLETED"}
    here = {"fromPosition": ["approve", "pay"], "toPosition": ["approve", "pay"]}
    history = await history_of(client, 1)
    assert history.pop()["upgrade"] == {
        "id": str(undo.id),
        "requestedBy": "admin",
        "reason": "It was a mistake",
        "state": "COMPLETED",
    }
    assert history == [
        {
            "upgrade": {"id": str(first.id), **shown},
            "when": "2026-03-01T08:30:00Z",
            "kind": "UPGRADED",
            "reasons": [],
            "fromVersion": 1,
            "toVersion": 2,
            **here,
        },
        {
            "upgrade": {"id": str(second.id), **shown},
            "when": "2026-03-01T08:30:00Z",
            "kind": "SKIPPED",
            "reasons": [{"code": "ALREADY_LATEST"}],
            "fromVersion": 2,
            "toVersion": 2,
            **here,
        },
    ]


async def test_an_entry_of_an_unfinished_upgrade_is_dated_by_its_start(client: Client) -> None:
    small = await a_small_front_door(client)
    await upgrade_from(small, "upgradeInstances", wait=False)
    await run_one_chunk(small.store, a_worker())
    upgrade = await put_into(small.store, (await the_upgrade(small.store)).id, started_at=MORNING)
    assert upgrade.finished_at is None
    [entry] = await history_of(small, 1)
    assert (entry["when"], entry["upgrade"]["state"]) == ("2026-03-01T08:30:00Z", "RUNNING")
    assert await history_of(small, 4) == []


@pytest.mark.parametrize("instances", [1, 2, 20])
async def test_the_histories_of_a_page_of_instances_are_read_by_one_query(
    client: Client, instances: int
) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, *map(an_instance, range(instances)))
    for _ in range(2):
        await add_upgrade(client.store, *range(instances))
    store = CountingStore(client.store)
    data = await client.on(store).ask(
        """
        {
          process(namespace: "shop", code: "order") {
            instances {nodes {history {kind upgrade {process {code} countsByReason {count}}}}}
          }
        }
        """
    )
    nodes = data["process"]["instances"]["nodes"]
    assert [[entry["kind"] for entry in node["history"]] for node in nodes] == [
        ["UPGRADED", "SKIPPED"]
    ] * instances
    assert store.queries == {
        "processes.find": 1,
        "instances.pages": 1,
        "instances.histories": 1,
        "processes.find_many": 1,
        "upgrades.skip_decisions": 1,
    }


async def test_the_upgrade_that_several_retries_refer_to_is_read_once(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, an_instance(1, version=2))
    first = await add_upgrade(client.store, 1)
    for _ in range(5):
        await request_retry(
            client.store,
            RetryRequest(upgrade_id=first.id, reasons=frozenset({ReasonCode.ALREADY_LATEST})),
            caller=ADMIN,
            worker=a_worker(),
        )
    store = CountingStore(client.store)
    data = await client.on(store).ask("{upgrades {nodes {of {id of {id}}}}}")
    assert data["upgrades"]["nodes"] == [{"of": {"id": str(first.id), "of": None}}] * 5 + [{"of": None}]
    assert store.queries == {"upgrades.page": 1, "upgrades.find_many": 1}


PROGRESS = """
query($id: UUID!) {
  upgrade(id: $id) {
    state expected total upgraded skipped rate etaSeconds workedSeconds startedAt finishedAt workers error
  }
}
"""


async def test_an_upgrade_has_its_rate_and_estimated_duration(client: Client) -> None:
    small = await a_small_front_door(client)
    requested = await upgrade_from(small, "upgradeInstances", wait=False)
    assert await claim(small.store, a_worker("night shift"))
    upgrade = await put_into(
        small.store,
        (await the_upgrade(small.store)).id,
        keeps_workers=True,
        state=UpgradeState.RUNNING,
        started_at=MORNING,
        expected=10,
        upgraded=3,
        skipped=1,
        worked=timedelta(seconds=2),
    )
    shown = {
        "state": "RUNNING",
        "expected": 10,
        "total": 4,
        "upgraded": 3,
        "skipped": 1,
        "rate": 2.0,
        "etaSeconds": 3.0,
        "workedSeconds": 2.0,
        "startedAt": "2026-03-01T08:30:00Z",
        "finishedAt": None,
        "workers": ["night shift"],
        "error": None,
    }
    assert (await small.ask(PROGRESS, id=requested["id"]))["upgrade"] == shown
    failed = upgrade.finished(UpgradeState.FAILED, MORNING, error="OSError: the disk is full")
    await put_into(
        small.store,
        failed.id,
        state=failed.state,
        finished_at=failed.finished_at,
        error=failed.error,
    )
    assert (await small.ask(PROGRESS, id=requested["id"]))["upgrade"] == {
        **shown,
        "state": "FAILED",
        "etaSeconds": None,
        "finishedAt": "2026-03-01T08:30:00Z",
        "workers": [],
        "error": "OSError: the disk is full",
    }


WORKERS = "query($id: UUID!) {upgrade(id: $id) {state workers}}"


async def test_an_upgrade_names_the_workers_that_hold_a_partition(client: Client) -> None:
    small = await a_small_front_door(client)
    requested = await upgrade_from(small, "upgradeInstances", "id state workers", wait=False)
    assert (requested["state"], requested["workers"]) == ("QUEUED", [])
    for name in ("night shift", "day shift"):
        assert await claim(small.store, a_worker(name, partition_size=2))
    upgrade = await the_upgrade(small.store)
    *_, free = (await small.store.partitions.remaining([upgrade.id]))[upgrade.id]
    assert free.lease is None
    shown = (await small.ask(WORKERS, id=requested["id"]))["upgrade"]
    assert shown == {"state": "RUNNING", "workers": ["day shift", "night shift"]}


async def test_a_worker_that_holds_several_partitions_is_named_once(client: Client) -> None:
    small = await a_small_front_door(client)
    requested = await upgrade_from(small, "upgradeInstances", wait=False)
    for _ in range(2):
        assert await claim(small.store, a_worker("night shift", partition_size=2))
    shown = (await small.ask(WORKERS, id=requested["id"]))["upgrade"]
    assert shown == {"state": "RUNNING", "workers": ["night shift"]}


@pytest.mark.parametrize("state", [state for state in UpgradeState if state is not UpgradeState.RUNNING])
async def test_an_upgrade_that_is_not_running_names_no_worker(client: Client, state: UpgradeState) -> None:
    small = await a_small_front_door(client)
    requested = await upgrade_from(small, "upgradeInstances", wait=False)
    assert await claim(small.store, a_worker("night shift"))
    requested_id = (await the_upgrade(small.store)).id
    upgrade = await put_into(small.store, requested_id, keeps_workers=True, state=state)
    [partition] = (await small.store.partitions.remaining([upgrade.id]))[upgrade.id]
    assert partition.lease is not None
    shown = (await small.ask(WORKERS, id=requested["id"]))["upgrade"]
    assert shown == {"state": state.value, "workers": []}


EXPECTED = """
{
  upgradePlan(input: {namespace: "shop", code: "order", selection: {allActive: {}}}) {
    plan {total expectedSeconds}
  }
}
"""


async def test_a_plan_has_an_expected_duration_after_a_measured_upgrade(client: Client) -> None:
    small = await a_small_front_door(client)
    plan = (await small.ask(EXPECTED))["upgradePlan"]["plan"]
    assert plan == {"total": 5, "expectedSeconds": None}
    await upgrade_from(small, "upgradeInstances", wait=False)
    measured = await run_next_upgrade(small.store, a_worker())
    await put_into(small.store, measured.id, upgraded=900, skipped=100, worked=timedelta(seconds=2))
    plan = (await small.ask(EXPECTED))["upgradePlan"]["plan"]
    assert plan == {"total": 5, "expectedSeconds": 0.01}


async def test_the_rate_is_read_only_on_request(client: Client) -> None:
    await a_small_front_door(client)
    store = CountingStore(client.store)
    await client.on(store).ask(EXPECTED.replace("expectedSeconds", ""))
    assert store.queries["upgrades.measured_rate"] == 0
    await client.on(store).ask(EXPECTED)
    assert store.queries["upgrades.measured_rate"] == 1


async def test_a_retry_shows_its_reasons_in_the_order_of_the_schema(client: Client) -> None:
    await add_process(client.store, ORDER, versions=2)
    await add_instances(client.store, an_instance(1))
    earlier = await add_upgrade(client.store, 1)
    retry = await upgrade_from(
        client,
        "retryUpgrade",
        "retriedReasons total",
        id=str(earlier.id),
        reasons=["INCOMPATIBLE", "NOT_PENDING", "INCOMPATIBLE"],
    )
    assert retry == {"retriedReasons": ["NOT_PENDING", "INCOMPATIBLE"], "total": 0}
