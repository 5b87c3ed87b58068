"""What hangs on an upgrade beside its progress: actions, counts, and the instances of its outcomes."""

from dataclasses import replace

import pytest

from tests.graphql_api.support.counting_store import CountingStore
from tests.graphql_api.support.schema_client import Client
from tests.graphql_api.support.schema_world import (
    add_instances,
    add_process,
    add_upgrade,
    add_version,
    an_id,
    an_instance,
)
from tests.graphql_api.support.upgrade_requests import a_small_front_door, put_into, upgrade_from
from tests.support.bpmn_builder import a_process
from uplift.domain import ProcessKey, Status, UpgradeState
from uplift.graphql_api.engine.limits import Limits

pytestmark = pytest.mark.anyio

FIRST = a_process("order").start().user_task("check").user_task("approve").user_task("pay").end().xml()
SECOND = a_process("order").start().user_task("check", name="Check").end().xml()
LOAN = ProcessKey(namespace="bank", code="loan")
AFTERWARDS = ["RETRY", "UNDO"]


@pytest.mark.parametrize(
    ("state", "actions"),
    [
        (UpgradeState.QUEUED, ["PAUSE", "CANCEL"]),
        (UpgradeState.RUNNING, ["PAUSE", "CANCEL"]),
        (UpgradeState.PAUSED, ["RESUME", "CANCEL"]),
        (UpgradeState.COMPLETED, AFTERWARDS),
        (UpgradeState.CANCELLED, AFTERWARDS),
        (UpgradeState.FAILED, AFTERWARDS),
    ],
)
async def test_an_upgrade_shows_every_key_the_actions_that_its_state_allows(
    client: Client, state: UpgradeState, actions: list[str]
) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, an_instance(1))
    upgrade = await put_into(client.store, (await add_upgrade(client.store, 1)).id, state=state)
    for asking in (client, client.reader()):
        data = await asking.ask("query($id: UUID!) {upgrade(id: $id) {allowedActions}}", id=str(upgrade.id))
        assert data == {"upgrade": {"allowedActions": actions}}


COUNTS = """
query($id: UUID!, $first: Int) {
  upgrade(id: $id) {
    skipped
    countsByFinding {severity code count}
    countsByElement(first: $first) {elementId count}
  }
}
"""


async def test_skipped_instances_are_counted_by_finding_and_by_element(client: Client) -> None:
    await add_process(client.store, model=FIRST)
    await add_version(client.store, SECOND)
    await add_instances(
        client.store,
        an_instance(1, position=["check"]),
        an_instance(2, position=["check"], status=Status.RUNNING),
        *(an_instance(number, position=["approve"]) for number in (3, 4)),
        an_instance(5, position=["approve", "pay"]),
    )
    upgrade = await add_upgrade(client.store, *range(1, 7))
    asked = await client.ask(COUNTS, id=str(upgrade.id))
    assert asked["upgrade"] == {
        "skipped": 5,
        "countsByFinding": [
            {"severity": "ERROR", "code": "ELEMENT_MISSING", "count": 3},
            {"severity": "WARNING", "code": "NAME_CHANGED", "count": 1},
        ],
        "countsByElement": [
            {"elementId": "approve", "count": 3},
            {"elementId": "check", "count": 1},
            {"elementId": "pay", "count": 1},
        ],
    }
    asked = await client.ask(COUNTS, id=str(upgrade.id), first=1)
    assert asked["upgrade"]["countsByElement"] == [{"elementId": "approve", "count": 3}]
    error = await client.refused(COUNTS, id=str(upgrade.id), first=1_001)
    assert error["extensions"]["code"] == "INVALID_INPUT"


async def test_a_plan_counts_the_instances_to_skip_by_element(client: Client) -> None:
    await add_process(client.store, model=FIRST)
    await add_version(client.store, SECOND)
    await add_instances(
        client.store,
        an_instance(1, position=["check"]),
        an_instance(2, position=["approve", "pay"]),
        an_instance(3, position=["pay"]),
    )
    data = await client.ask(
        """
        query($input: UpgradePlanInput!) {
          upgradePlan(input: $input) {plan {all: countsByElement {elementId count}
                                            countsByElement(first: 1) {elementId count}}}
        }
        """,
        input={"namespace": "shop", "code": "order", "selection": {"allActive": {}}},
    )
    [most, least] = [{"elementId": "pay", "count": 2}, {"elementId": "approve", "count": 1}]
    assert data["upgradePlan"]["plan"] == {"all": [most, least], "countsByElement": [most]}


INSTANCES = """
query($first: Int) {
  upgrades {
    nodes {
      outcomes(first: $first) {nodes {instanceId fromVersion instance {instanceId version status position}}}
    }
  }
}
"""


async def test_an_outcome_leads_to_its_instance_as_it_is_now(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_process(client.store, LOAN)
    await add_instances(client.store, an_instance(1))
    await add_instances(client.store, an_instance(2, process=LOAN))
    await add_upgrade(client.store, 1, 2, 3)
    await add_instances(client.store, replace(an_instance(1), status=Status.RUNNING, position=frozenset()))
    data = await client.ask(INSTANCES)
    now = {"instanceId": str(an_id(1)), "version": 2, "status": "RUNNING", "position": []}
    assert data["upgrades"]["nodes"][0]["outcomes"]["nodes"] == [
        {"instanceId": str(an_id(1)), "fromVersion": 1, "instance": now},
        # An instance of another process was not found in this one.
        {"instanceId": str(an_id(2)), "fromVersion": None, "instance": None},
        {"instanceId": str(an_id(3)), "fromVersion": None, "instance": None},
    ]


@pytest.mark.parametrize("upgrades", [1, 5])
async def test_the_instances_of_all_outcomes_are_one_query(client: Client, upgrades: int) -> None:
    await add_process(client.store, versions=2)
    for number in range(upgrades):
        await add_instances(client.store, *(an_instance(number * 10 + offset) for offset in range(3)))
        await add_upgrade(client.store, *(number * 10 + offset for offset in range(3)))
    store = CountingStore(client.store)
    data = await client.on(store).ask(INSTANCES, first=3)
    assert len(data["upgrades"]["nodes"]) == upgrades
    assert store.queries == {"upgrades.page": 1, "upgrades.outcome_pages": 1, "instances.find_many": 1}


async def test_the_instances_of_outcomes_count_in_the_node_budget(client: Client) -> None:
    await add_process(client.store, versions=2)
    nodes = Limits().max_nodes
    query = "{{upgrades(first: {0}) {{nodes {{outcomes(first: 1000) {{nodes {{instance {{id}}}}}}}}}}}}"
    error = await client.refused(query.format(nodes // 2_001 + 1))
    assert f"at most {nodes:,} nodes" in error["message"]
    assert await client.ask(query.format(nodes // 2_001)) == {"upgrades": {"nodes": []}}


FOLLOWING = """
query($id: UUID!, $first: Int, $after: String) {
  upgrade(id: $id) {
    undoneBy {id selection undoneBy {id}}
    retries(first: $first, after: $after) {nodes {id of {id}} pageInfo {hasNextPage endCursor}}
  }
}
"""


async def test_an_upgrade_leads_to_its_retries_and_its_latest_undo(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, an_instance(1), an_instance(2, status=Status.RUNNING))
    upgrade = await add_upgrade(client.store, 1, 2)
    asked = {"id": str(upgrade.id), "first": 2}
    nothing = {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}
    assert await client.ask(FOLLOWING, **asked) == {"upgrade": {"undoneBy": None, "retries": nothing}}

    retries = [await upgrade_from(client, "retryUpgrade", "id", id=str(upgrade.id)) for _ in range(3)]
    undos = [await upgrade_from(client, "undoUpgrade", "id", id=str(upgrade.id)) for _ in range(2)]
    found = (await client.ask(FOLLOWING, **asked))["upgrade"]
    assert found["undoneBy"] == {"id": undos[1]["id"], "selection": "UNDO", "undoneBy": None}
    assert found["retries"]["nodes"] == [
        {"id": retry["id"], "of": {"id": str(upgrade.id)}} for retry in (retries[2], retries[1])
    ]
    place = found["retries"]["pageInfo"]
    assert place["hasNextPage"]
    found = (await client.ask(FOLLOWING, **asked, after=place["endCursor"]))["upgrade"]
    assert [retry["id"] for retry in found["retries"]["nodes"]] == [retries[0]["id"]]


@pytest.mark.parametrize("upgrades", [1, 5])
async def test_retries_and_undos_of_a_list_are_one_query_each(client: Client, upgrades: int) -> None:
    await add_process(client.store, versions=2)
    for number in range(upgrades):
        await add_instances(client.store, an_instance(number))
        upgrade = await add_upgrade(client.store, number)
        await upgrade_from(client, "undoUpgrade", "id", id=str(upgrade.id))
    store = CountingStore(client.store)
    await client.on(store).ask("{upgrades {nodes {undoneBy {id} retries(first: 2) {nodes {id}}}}}")
    assert store.queries == {"upgrades.page": 1, "upgrades.following_pages": 2}


async def test_an_upgrade_shows_how_many_ids_its_request_names(client: Client) -> None:
    await add_process(client.store, versions=2)
    await add_instances(client.store, *map(an_instance, range(3)))
    named = {"instanceIds": [str(an_id(number)) for number in (0, 1, 99)]}
    excepted = {"allActive": {"except": [str(an_id(number)) for number in (0, 99)]}}
    shown = {}
    for selection in (named, excepted):
        fields = "selection selectedCount exceptCount excluded"
        upgrade = await upgrade_from(client, "upgradeInstances", fields, selection=selection)
        shown[upgrade.pop("selection")] = upgrade
    assert shown == {
        "BY_IDS": {"selectedCount": 3, "exceptCount": 0, "excluded": 0},
        "ALL_ACTIVE": {"selectedCount": None, "exceptCount": 2, "excluded": 1},
    }


async def test_the_events_of_an_upgrade_say_who_did_what(client: Client) -> None:
    small = await a_small_front_door(client)
    upgrade = await upgrade_from(small, "upgradeInstances", "id", wait=False)
    await upgrade_from(small, "pauseUpgrade", id=upgrade["id"])
    shown = await upgrade_from(small, "cancelUpgrade", "events {at kind by}", id=upgrade["id"])
    assert [(event["kind"], event["by"]) for event in shown["events"]] == [
        ("REQUESTED", "ops"),
        ("PAUSED", "ops"),
        ("CANCELLED", "ops"),
    ]
    assert all(event["at"].endswith("Z") for event in shown["events"])


async def test_the_events_of_a_list_are_one_query(client: Client) -> None:
    await add_process(client.store, versions=2)
    for number in range(3):
        await add_instances(client.store, an_instance(number))
        await add_upgrade(client.store, number)
    store = CountingStore(client.store)
    data = await client.on(store).ask("{upgrades {nodes {events {kind by}}}}")
    life = [
        {"kind": "REQUESTED", "by": "setup"},
        {"kind": "STARTED", "by": None},
        {"kind": "COMPLETED", "by": None},
    ]
    assert data == {"upgrades": {"nodes": [{"events": life}] * 3}}
    assert store.queries == {"upgrades.page": 1, "upgrades.operator_events": 1}
