"""The number of queries does not grow with the length of a list."""

import pytest

from tests.graphql_api.support.counting_store import CountingStore
from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import (
    ADMIN,
    MODEL,
    add_instances,
    add_process,
    add_upgrade,
    an_instance,
)
from tests.support.workers import a_worker
from uplift.domain import (
    Caller,
    ProcessKey,
    ReasonCode,
    Role,
    Worker,
    all_active,
    claim,
    request_retry,
    request_upgrade,
)
from uplift.domain.model.request import RetryRequest, UpgradeRequest

pytestmark = pytest.mark.anyio

NESTED_IN_PROCESSES = """
{
  processes(first: 20) {
    nodes {
      code
      versions {number}
      version(number: 1) {state}
      latestPublishedVersion {number}
      cohorts {count}
      activeCount
      outdatedCount
      activeByVersion {version pending running}
      draft {number tokens {elementId}}
      lastUpgrade {id process {code}}
      withTokens: versions {tokens {elementId pending running}}
      pending: instances(filter: {statuses: PENDING}, first: 2) {
        totalCount
        nodes {id process {code cohorts {count}}}
      }
      again: instances(filter: {statuses: PENDING}, first: 2) {edges {cursor}}
      named: instances(filter: {ids: "00000000-0000-0000-0000-000000000001"}, first: 2) {totalCount}
      all: instances(first: 3) {totalCount pageInfo {endCursor}}
    }
  }
}
"""

NESTED_IN_UPGRADES = """
{
  upgrades {
    edges {
      node {
        total
        workers
        countsByReason {code count}
        process {code latestPublishedVersion {number}}
        outcomes(first: 3) {totalCount nodes {instanceId reasons {code}}}
        skipped: outcomes(first: 3, filter: {reasons: ALREADY_LATEST}) {totalCount nodes {instanceId}}
      }
    }
  }
}
"""


@pytest.mark.parametrize("processes", [1, 2, 20])
async def test_a_list_of_processes_runs_one_query_for_each_field(client: Client, processes: int) -> None:
    for number in range(processes):
        key = ProcessKey(namespace="shop", code=f"order{number}")
        await add_process(client.store, key)
        instances = (an_instance(number * 10 + offset, process=key) for offset in range(5))
        await add_instances(client.store, *instances)
    store = CountingStore(client.store)
    data = await client.on(store).ask(NESTED_IN_PROCESSES)
    assert len(data["processes"]["nodes"]) == processes
    assert store.queries == {
        "processes.page": 1,
        "processes.versions": 1,
        "instances.cohorts": 1,
        "instances.pages": 3,
        "instances.find_many": 1,
        "processes.find_many": 1,
        "upgrades.latest": 1,
    }


@pytest.mark.parametrize("upgrades", [1, 2, 20])
async def test_a_list_of_upgrades_runs_one_query_for_each_field(client: Client, upgrades: int) -> None:
    for number in range(upgrades):
        key = ProcessKey(namespace="shop", code=f"order{number}")
        await add_process(client.store, key, versions=2)
        await add_instances(client.store, an_instance(number * 10, process=key, version=2))
        await add_upgrade(client.store, number * 10, number * 10 + 1, key=key)
    store = CountingStore(client.store)
    data = await client.on(store).ask(NESTED_IN_UPGRADES)
    assert len(data["upgrades"]["edges"]) == upgrades
    assert store.queries == {
        "upgrades.page": 1,
        "upgrades.skip_decisions": 1,
        "processes.find_many": 1,
        "processes.versions": 1,
        "upgrades.outcome_pages": 2,
    }


@pytest.mark.parametrize("upgrades", [1, 2, 20])
async def test_a_list_of_running_upgrades_runs_one_query_for_their_workers(
    client: Client, upgrades: int
) -> None:
    for number in range(upgrades):
        key = ProcessKey(namespace="shop", code=f"order{number}")
        await add_process(client.store, key, versions=2)
        await add_instances(
            client.store, *(an_instance(number * 10 + offset, process=key) for offset in range(5))
        )
        upgrade = await request_upgrade(
            client.store, UpgradeRequest(process=key, selection=all_active()), caller=ADMIN, worker=a_worker()
        )
        for name in (f"first of {number}", f"second of {number}"):
            assert await claim(client.store, a_worker(name, partition_size=2), only=upgrade.id)
    store = CountingStore(client.store)
    data = await client.on(store).ask("{upgrades {nodes {workers}}}")
    assert [upgrade["workers"] for upgrade in data["upgrades"]["nodes"]] == [
        [f"first of {number}", f"second of {number}"] for number in reversed(range(upgrades))
    ]
    assert store.queries == {"upgrades.page": 1, "partitions.remaining": 1}


async def test_a_list_of_retries_runs_one_query_for_the_earlier_upgrades(client: Client) -> None:
    await add_process(client.store, versions=2)
    for number in range(3):
        await add_instances(client.store, an_instance(number, version=2))
        earlier = await add_upgrade(client.store, number)
        await request_retry(
            client.store,
            RetryRequest(upgrade_id=earlier.id, reasons=frozenset({ReasonCode.ALREADY_LATEST})),
            caller=Caller(name="ops", role=Role.SYSTEM_ADMIN),
            worker=Worker(name="retrying"),
        )
    store = CountingStore(client.store)
    data = await client.on(store).ask("{upgrades {nodes {id of {id}}}}")
    assert len({node["of"]["id"] for node in data["upgrades"]["nodes"] if node["of"]}) == 3
    assert store.queries == {"upgrades.page": 1, "upgrades.find_many": 1}


async def test_unrequested_fields_are_not_read(client: Client) -> None:
    await add_process(client.store, model=MODEL)
    store = CountingStore(client.store)
    await client.on(store).ask('{process(namespace: "shop", code: "order") {code title}}')
    assert store.queries == {"processes.find": 1}


async def test_a_document_is_read_only_on_request(client: Client) -> None:
    await add_process(client.store, versions=2, model=MODEL)
    store = CountingStore(client.store)
    await client.on(store).ask('{process(namespace: "shop", code: "order") {versions {number hasBpmn}}}')
    assert store.queries["processes.model"] == 0
    await client.on(store).ask('{process(namespace: "shop", code: "order") {version(number: 2) {bpmn}}}')
    assert store.queries["processes.model"] == 1
